import { BlockList, isIP, isIPv4 } from "node:net";
import { type Env, readList, SettingError } from "../contract/settings.ts";

/** Tells whether an address is one of our own proxies. */
export type TrustedProxies = (address: string) => boolean;

/**
 * Reads a setting that lists the networks of our own proxies: "10.0.0.0/8, fd00::/8, 192.0.2.7"; none if unset.
 *
 * @throws SettingError naming the setting and what is no network
 */
export function readTrustedProxies(env: Env, name: string): TrustedProxies {
  const networks = new BlockList();
  for (const entry of readList(env, name)) {
    const [address = "", prefix] = entry.split("/");
    const bitsMax = isIPv4(address) ? 32 : 128;
    const bits = prefix === undefined ? bitsMax : Number(prefix);
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(prefix ?? "0") || bits > bitsMax) {
      throw new SettingError(`${name}: "${entry}" is no network such as 10.0.0.0/8 or fd00::/8`);
    }
    networks.addSubnet(address, bits, familyOf(address));
  }
  return (address) => isIP(address) !== 0 && networks.check(address, familyOf(address));
}

/**
 * The address of whoever calls. A proxy that is not ours can write into X-Forwarded-For what it likes, and so can the
 * caller: the header is read from its end, for as long as the one who wrote an entry is one of our proxies.
 *
 * @param peer who is at the other end of the connection
 * @param forwardedFor the X-Forwarded-For header, "client, proxy, proxy"
 */
export function clientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  isTrusted: TrustedProxies,
): string | undefined {
  let client = peer === undefined ? undefined : toAddress(peer);
  const hops = forwardedFor === undefined ? [] : forwardedFor.split(",").reverse();
  for (const hop of hops) {
    if (client === undefined || !isTrusted(client)) break;
    const before = toAddress(hop.trim());
    if (before === undefined) break;
    client = before;
  }
  return client;
}

/** "192.0.2.7" of "::ffff:192.0.2.7" and "192.0.2.7:4711"; "2001:db8::1" of "[2001:db8::1]:4711". */
function toAddress(text: string): string | undefined {
  const address = text
    .replace(/^\[([^\]]*)\](?::\d+)?$/, "$1")
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, "$1")
    .replace(/^::ffff:(?=\d+\.)/i, "");
  return isIP(address) === 0 ? undefined : address;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}
