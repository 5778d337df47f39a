import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { newUlid } from "../data/id.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { encodeEntry, readEntry, type SharedEntry } from "./entry.ts";
import type { RedisConnection } from "./redis.ts";
import { createMissedRemovals } from "./removals.ts";
import { findScript, storeScript } from "./shared-scripts.ts";

export type SharedOperation = "find" | "store" | "remove";

/** The right to store a value: holds only as long as nothing else has happened to the key. */
export interface Ticket {
  readonly key: string;
  readonly mark: string;
  /** What lies under the key now: a lease of ours, or the entry to be replaced. */
  readonly expected: Uint8Array;
}

/** What is known of a key. */
export interface SharedAnswer {
  readonly entry?: SharedEntry;
  /** Undefined if somebody else is loading it, or Redis is away: a value is then not to be stored. */
  readonly ticket?: Ticket;
}

/** An entry to be stored for ttlMs, if its ticket still holds. */
export interface StoredEntry {
  readonly ticket: Ticket;
  readonly entry: SharedEntry;
  readonly ttlMs: number;
}

/** The tier that all processes share. None of its methods throws: without Redis nothing is found and nothing kept. */
export interface SharedTier {
  find(keys: readonly string[]): Promise<ReadonlyMap<string, SharedAnswer>>;
  store(entries: readonly StoredEntry[]): void;
  /** Removes entries, and the right of all who are loading them to store what they find. If Redis is away: as soon as it is back. */
  remove(keys: readonly string[]): Promise<void>;
  removeAll(): Promise<void>;
  /** Removals that wait for Redis. While there are any nothing is found. */
  pending(): number;
}

export interface SharedTierOptions {
  readonly name: string;
  /** Of the values' encoding: entries of another one are as good as none. Without a colon. */
  readonly version: string;
  readonly redis: Pick<RedisConnection, "isReady" | "serverId" | "run" | "onReady">;
  readonly telemetry: Telemetry;
  readonly leaseMs: number;
  /** Redis did not do something; told for whoever counts. */
  readonly onFailure?: (operation: SharedOperation) => undefined;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Keys removed in one command. */
const chunkLengthMax = 500;
const repairIntervalMs = 100;

/**
 * Entries in Redis, each with a life of its own. Whoever misses one gets a lease that lies in its place; what he loads is stored only if the
 * lease is still there, and a removal takes it away. So a value that was read before a change can never be stored after it (the
 * leases of "Scaling Memcache at Facebook", NSDI 2013). That holds for commands that time out and run later, too.
 *
 * An entry is believed only if it bears today's mark: the cache's epoch (a new one removes everything), the version of the message, and
 * the server process that it was stored in. One that was restarted from a dump, or a replica that took over, may hold what was removed.
 */
export function createSharedTier(options: SharedTierOptions): SharedTier {
  const { name, version, redis, telemetry, leaseMs, clock = systemClock, random = Math.random } = options;
  const onFailure = options.onFailure ?? (() => undefined);
  // One hash tag, since one script touches the epoch and the keys. No key can be the epoch's.
  const epochKey = `{cache:${name}}`;
  const redisKey = (key: string) => `${epochKey}:${key}`;
  const missed = createMissedRemovals();
  let madeUpAtMs = Number.NEGATIVE_INFINITY;

  const del = async (keys: readonly string[]): Promise<void> => {
    for (let at = 0; at < keys.length; at += chunkLengthMax) {
      const some = keys.slice(at, at + chunkLengthMax).map(redisKey);
      await redis.run("cache.remove", (commands) => commands.del(...some));
    }
  };
  const newEpoch = () => redis.run("cache.removeAll", (commands) => commands.set(epochKey, newUlid({ clock, random })));

  /** Does what waits for Redis. Until then nothing here can be believed; who needs it then, or the new connection, tries again. */
  const makeUp = (): void => {
    madeUpAtMs = clock.monotonic();
    void missed.makeUp(async ({ all, keys }) => {
      if (all) await newEpoch();
      await del(keys);
      telemetry.logger.info("cached values were removed after redis came back", {
        cache: name,
        all,
        count: keys.length,
      });
    });
  };
  const isBehind = () => missed.count() > 0;
  redis.onReady(() => {
    if (isBehind()) makeUp();
  });

  return {
    pending: missed.count,

    async find(keys) {
      const found = new Map<string, SharedAnswer>();
      if (isBehind()) {
        if (redis.isReady() && clock.monotonic() - madeUpAtMs > repairIntervalMs) makeUp();
        return found;
      }
      const serverId = redis.serverId();
      if (serverId === undefined) {
        onFailure("find");
        return found;
      }
      const lease = Buffer.from(`L${newUlid({ clock, random })}`);
      const redisKeys = [epochKey, ...keys.map(redisKey)];
      const values = [lease, leaseMs, newUlid({ clock, random }), `.${version}.${serverId}`];
      const answer = await redis
        .run("cache.find", (commands) =>
          commands.callBuffer("EVAL", findScript, redisKeys.length, ...redisKeys, ...values),
        )
        .catch(() => onFailure("find"));
      // A removal may have failed while we asked.
      if (answer === undefined || isBehind()) return found;
      const [first, ...raws] = answer as Buffer[];
      const mark = String(first);
      for (const [index, key] of keys.entries()) {
        const raw = raws[index];
        if (raw === undefined || raw.length === 0) continue;
        const entry = raw.equals(lease) ? undefined : readEntry(raw, mark);
        found.set(key, { ticket: { key, mark, expected: raw }, ...(entry && { entry }) });
      }
      return found;
    },

    store(entries) {
      if (entries.length === 0 || isBehind()) return;
      const keys = entries.map(({ ticket }) => redisKey(ticket.key));
      const values = entries.flatMap(({ ticket, entry, ttlMs }) => [
        Buffer.from(ticket.expected),
        encodeEntry(entry, ticket.mark),
        Math.ceil(ttlMs),
      ]);
      redis
        .run("cache.store", (commands) => commands.eval(storeScript, keys.length, ...keys, ...values))
        .catch(() => onFailure("store"));
    },

    async remove(keys) {
      try {
        await del(keys);
      } catch {
        onFailure("remove");
        missed.add(keys);
      }
    },

    async removeAll() {
      try {
        await newEpoch();
      } catch {
        onFailure("remove");
        missed.addAll();
      }
    },
  };
}
