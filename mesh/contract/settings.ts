/** The environment, as main.ts hands it to loadConfig. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A setting that is missing or makes no sense. Its message is all that a person needs to mend it. */
export class SettingError extends Error {
  override name = "SettingError";
}

/** A host and a TCP port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads a text. Without a fallback the setting is required. @throws SettingError */
export function readString(env: Env, name: string, fallback?: string): string {
  const value = env[name] || fallback;
  if (value === undefined) throw new SettingError(`${name} is not set: this process cannot start without it`);
  return value;
}

/** Reads a whole number within bounds. @throws SettingError */
export function readInteger(
  env: Env,
  name: string,
  bounds: { readonly min: number; readonly max: number; readonly fallback?: number },
): number {
  const text = readString(env, name, bounds.fallback?.toString());
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= bounds.min && value <= bounds.max)) {
    throw new SettingError(`${name}=${text} is not a whole number from ${bounds.min} to ${bounds.max}`);
  }
  return value;
}

/** Reads a URL with one of the given protocols ("nats:"). @throws SettingError, without the URL's password */
export function readUrl(env: Env, name: string, protocols: readonly string[], fallback?: string): string {
  const text = readString(env, name, fallback);
  const url = URL.parse(text);
  if (url === null || !protocols.includes(url.protocol)) {
    throw new SettingError(`${name} is not a URL that starts with ${protocols.map((p) => `${p}//`).join(" or ")}`);
  }
  return text;
}

/** Reads "host:port". @throws SettingError */
export function readAddress(env: Env, name: string, fallback?: string): Address {
  return parseAddress(name, readString(env, name, fallback));
}

/** Reads a comma-separated list; an empty setting is an empty list. */
export function readList(env: Env, name: string): string[] {
  return (env[name] ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Parses "host:port", "[::1]:port". @throws SettingError naming the setting */
export function parseAddress(setting: string, text: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port > 65535) {
    throw new SettingError(`${setting}=${text} is not host:port, for example 127.0.0.1:7140`);
  }
  return { host, port };
}

/** "host:port", with brackets around an IPv6 host. */
export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
