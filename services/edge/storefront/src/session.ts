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
  /** What the token says that its bearer may do: to show or hide links by. What is allowed, the server decides. */
  scopes(): readonly string[];
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
    scopes: () => scopesOf(ticket()?.token ?? ""),
    begin(token, userId, lifetimeMs) {
      storage.write(storageName, { token, userId, expiresAtMs: now() + lifetimeMs } satisfies Ticket);
      tell();
    },
    end,
    listen,
  };
}

/** The scopes that a JWT claims, unverified; none if it cannot be read. */
function scopesOf(token: string): readonly string[] {
  try {
    const text = atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    const { scope } = JSON.parse(text) as { scope?: unknown };
    return typeof scope === "string" ? scope.split(" ") : [];
  } catch {
    return [];
  }
}
