import type { Instance } from "../contract/discovery.ts";
import { type Address, type Env, formatAddress, parseAddress, readUrl, SettingError } from "../contract/settings.ts";

/** Where this process finds the instances of other services. */
export type DiscoverySetting =
  | { readonly source: "static"; readonly instances: ReadonlyMap<string, readonly Instance[]> }
  | { readonly source: "dns"; readonly names: ReadonlyMap<string, Address> }
  | { readonly source: "nats"; readonly namespace: string; readonly url: string };

const name = "WEFT_DISCOVERY";

/**
 * Reads WEFT_DISCOVERY, in one of three forms:
 *
 * - `static:catalog=127.0.0.1:7120,inventory=127.0.0.1:7130|127.0.0.1:7230;version=2;zone=b;weight=3`
 * - `dns:catalog=catalog:7100,inventory=inventory:7100`, each address of a name being an instance
 * - `nats:shop`, the namespace in which services find each other, at NATS_URL
 *
 * A process that calls nobody may leave it out.
 *
 * @throws SettingError
 */
export function readDiscovery(env: Env): DiscoverySetting {
  const text = env[name] || "static:";
  const [, source, rest = ""] = /^(static|dns|nats):(.*)$/s.exec(text) ?? [];
  switch (source) {
    case "static":
      return { source, instances: parseNamed(rest, (list) => list.split("|").map(parseInstance)) };
    case "dns":
      return { source, names: parseNamed(rest, (address) => parseAddress(name, address)) };
    case "nats":
      if (!isLabel(rest)) throw new SettingError(`${name}=${text} names no namespace, for example nats:shop`);
      return { source, namespace: rest, url: readUrl(env, "NATS_URL", ["nats:"]) };
    default:
      throw new SettingError(`${name}=${text} does not begin with static:, dns: or nats:`);
  }
}

/** Whether a text can name a namespace, a version or a zone: short, of letters, digits and -._ */
export function isLabel(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text);
}

function parseNamed<T>(list: string, parse: (text: string) => T): ReadonlyMap<string, T> {
  const parsed = new Map<string, T>();
  const entries = list.split(",").map((entry) => entry.trim());
  for (const entry of entries.filter((text) => text !== "")) {
    const [service = "", text = ""] = splitOnce(entry, "=");
    if (!/^[a-z][a-z0-9-]*$/.test(service) || text === "") {
      throw new SettingError(`${name}: "${entry}" is not name=host:port`);
    }
    if (parsed.has(service)) throw new SettingError(`${name} names ${service} twice`);
    parsed.set(service, parse(text));
  }
  return parsed;
}

/** "127.0.0.1:7130;version=2;zone=b;weight=3" */
function parseInstance(text: string): Instance {
  const [address = "", ...labels] = text.split(";");
  const instance: { -readonly [Key in keyof Instance]: Instance[Key] } = {
    address: formatAddress(parseAddress(name, address)),
  };
  for (const label of labels) {
    const [key, value = ""] = splitOnce(label, "=");
    if ((key === "version" || key === "zone") && isLabel(value)) instance[key] = value;
    else if (key === "weight" && isWeight(Number(value))) instance.weight = Number(value);
    else throw new SettingError(`${name}: "${label}" of ${address} is neither version=, zone= nor weight=1 to 1000`);
  }
  return instance;
}

/** Whether a number can be an instance's weight. */
export function isWeight(weight: number): boolean {
  return weight > 0 && weight <= 1_000;
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
