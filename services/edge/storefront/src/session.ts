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
const MARGIN_MS = 5_000;
const NAME = "session";

export function createSession(storage: Storage, now: () => number): Session {
  const { listen, tell } = createChanges();
  const end = (): void => {
    if (storage.read(NAME) === undefined) return;
    storage.remove(NAME);
    tell();
  };
  const ticket = (): Ticket | undefined => {
    const found = storage.read<Ticket>(NAME);
    if (found === undefined || found.expiresAtMs - MARGIN_MS > now()) return found;
    end();
    return undefined;
  };
  return {
    token: () => ticket()?.token,
    userId: () => ticket()?.userId,
    begin(token, userId, lifetimeMs) {
      storage.write(NAME, { token, userId, expiresAtMs: now() + lifetimeMs } satisfies Ticket);
      tell();
    },
    end,
    listen,
  };
}
