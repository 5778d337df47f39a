import { createChanges } from "./changes.ts";
import type { Storage } from "./storage.ts";

interface Ticket {
  readonly token: string;
  readonly userId: string;
  /** Epoch. */
  readonly expiresAtMs: number;
}

/** Whether somebody is logged in, and as whom. */
export interface Session {
  /** The access token to send; undefined for a visitor, and once it has expired. */
  token(): string | undefined;
  userId(): string | undefined;
  begin(token: string, userId: string, lifetimeMs: number): void;
  end(): void;
  listen(listener: () => void): () => void;
}

/** A token is not sent in its last seconds: it would expire on the way. */
const marginMs = 5_000;
const storageName = "session";

export function createSession(storage: Storage, now: () => number): Session {
  const { listen, tell } = createChanges();
  const end = (): void => {
    if (storage.read(storageName) === undefined) return;
    storage.remove(storageName);
    tell();
  };
  const ticket = (): Ticket | undefined => {
    const found = storage.read<Ticket>(storageName);
    if (found === undefined || found.expiresAtMs - marginMs > now()) return found;
    end();
    return undefined;
  };
  return {
    token: () => ticket()?.token,
    userId: () => ticket()?.userId,
    begin(token, userId, lifetimeMs) {
      storage.write(storageName, { token, userId, expiresAtMs: now() + lifetimeMs } satisfies Ticket);
      tell();
    },
    end,
    listen,
  };
}
