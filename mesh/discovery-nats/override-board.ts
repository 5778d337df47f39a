import type { Telemetry } from "../telemetry/telemetry.ts";
import { createLink } from "./link.ts";
import { createOverrideBucket } from "./override-source.ts";

export interface OverrideBoardOptions {
  /** nats://host:port */
  readonly url: string;
  readonly namespace: string;
  readonly telemetry: Telemetry;
  readonly connectTimeoutMs?: number;
}

/** Where an operator puts runtime overrides for all processes to see. */
export interface OverrideBoard extends AsyncDisposable {
  readonly namespace: string;
  /** Resolves when it is stored. */
  put(id: string, signed: Uint8Array): Promise<void>;
  /** All that are there, whatever they are worth. */
  list(): Promise<{ readonly id: string; readonly signed: Uint8Array }[]>;
}

/** Connects to the board. @throws Error if it is not reached in time */
export async function openOverrideBoard(options: OverrideBoardOptions): Promise<OverrideBoard> {
  const { url, namespace, telemetry, connectTimeoutMs = 3_000 } = options;
  const link = createLink({ url, service: "weft", telemetry });
  const bucket = createOverrideBucket({ link, telemetry });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`no NATS answers at ${url}`)), connectTimeoutMs);
  const connected = link.whenUp(() => resolve());
  try {
    await promise;
  } catch (error) {
    await link[Symbol.asyncDispose]();
    throw error;
  } finally {
    clearTimeout(timer);
    connected[Symbol.dispose]();
  }
  return {
    namespace,
    put: (id, signed) => bucket.put(`${namespace}.${id}`, signed),
    async list() {
      const entries = await bucket.read(`${namespace}.>`);
      return entries.flatMap(({ key, value }) =>
        value === undefined ? [] : [{ id: key.slice(namespace.length + 1), signed: value }],
      );
    },
    [Symbol.asyncDispose]: async () => await link[Symbol.asyncDispose](),
  };
}
