import type { Clock } from "../contract/clock.ts";
import { createLru, type LruLimits } from "./lru.ts";

/** A value as a tier has it or a load has brought it; undefined is the knowledge that there is none. */
export interface Held<Value> {
  readonly value: Value | undefined;
  /** Epoch ms until which it is as good as loaded anew. */
  readonly freshUntilMs: number;
  /** Epoch ms until which it may be given out. */
  readonly usableUntilMs: number;
  /** Length of the encoded value. */
  readonly bytes: number;
}

/** The tier in a process's own memory. */
export interface LocalTier<Value> {
  find(key: string): Held<Value> | undefined;
  keep(key: string, held: Held<Value>): void;
  drop(key: string): void;
  clear(): void;
  /** Used only while the condition holds: while invalidations reach this process. */
  trustWhile(condition: () => boolean): void;
  size(): number;
  bytes(): number;
}

export interface LocalTierOptions extends LruLimits {
  /** How long a value is kept at most. */
  readonly ttlMs: number;
  readonly clock: Clock;
}

/** Creates the tier. `bytesMax` bounds keys and encoded values together. */
export function createLocalTier<Value>({ ttlMs, clock, ...limits }: LocalTierOptions): LocalTier<Value> {
  const entries = createLru<Held<Value>>(limits);
  let isTrusted = () => true;
  return {
    find(key) {
      if (!isTrusted()) return undefined;
      const held = entries.get(key);
      return held !== undefined && clock.now() < held.usableUntilMs ? held : undefined;
    },
    keep(key, held) {
      if (!isTrusted()) return;
      const usableUntilMs = Math.min(held.usableUntilMs, clock.now() + ttlMs);
      entries.set(key, { ...held, usableUntilMs }, held.bytes + 2 * key.length);
    },
    drop: entries.delete,
    clear: entries.clear,
    trustWhile(condition) {
      isTrusted = condition;
    },
    size: entries.size,
    bytes: entries.bytes,
  };
}
