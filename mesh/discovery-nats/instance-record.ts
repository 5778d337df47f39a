import type { Instance } from "../contract/discovery.ts";
import { formatAddress, parseAddress } from "../contract/settings.ts";
import { isLabel, isWeight } from "../discovery/setting.ts";

/** Of a record; what is longer is nobody's of ours. */
const recordBytesMax = 4_096;

/** "shop.catalog.127.0.0.1=7120": who is where, in the characters that a bucket takes for keys. */
export function instanceKey(namespace: string, service: string, address: string): string {
  const escaped = address.replaceAll(":", "=").replaceAll("[", "/").replaceAll("]", "/");
  return `${namespace}.${service}.${escaped}`;
}

/** The service that a key is of: its second token. */
export function serviceOfKey(key: string): string {
  return key.split(".", 2)[1] ?? "";
}

export function encodeInstance(instance: Instance): Uint8Array {
  return Buffer.from(JSON.stringify(instance));
}

/** Reads what anybody may have written. Fields that a later release has added are passed over. @throws Error */
export function decodeInstance(bytes: Uint8Array): Instance {
  if (bytes.length > recordBytesMax) throw new Error(`longer than ${recordBytesMax} bytes`);
  const record: unknown = JSON.parse(Buffer.from(bytes).toString());
  if (typeof record !== "object" || record === null || !("address" in record) || typeof record.address !== "string") {
    throw new Error("no address");
  }
  const { version, zone, weight } = record as { version?: unknown; zone?: unknown; weight?: unknown };
  if (!isOptionalLabel(version) || !isOptionalLabel(zone)) throw new Error("a label that is none");
  if (weight !== undefined && !(typeof weight === "number" && isWeight(weight)))
    throw new Error("a weight that is none");
  const address = formatAddress(parseAddress("address", record.address));
  return {
    address,
    ...(version !== undefined && { version }),
    ...(zone !== undefined && { zone }),
    ...(weight !== undefined && { weight }),
  };
}

function isOptionalLabel(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === "string" && isLabel(value));
}
