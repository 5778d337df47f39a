import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { newUlid } from "../data/id.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { encodeEntry, readEntry, type SharedEntry } from "./entry.ts";
import type { RedisConnection } from "./redis.ts";

/** The right to store a value: holds only as long as nothing else has happened to the key. */
export interface Ticket {
  readonly key: string;
  readonly epoch: string;
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
  readonly redis: RedisConnection;
  readonly telemetry: Telemetry;
  readonly leaseMs: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Removals remembered at most while Redis is away; with more, all entries go. */
const pendingMax = 10_000;
/** Keys removed in one command. */
const chunkLengthMax = 500;
const repairIntervalMs = 100;

/**
 * KEYS: the epoch, then the keys. ARGV: our lease, its life in ms. Answers with the epoch, and for each key with what lies there, or
 * with our lease if it is ours to load, or with nothing if somebody else is loading it.
 */
const findScript = `
local epoch = redis.call('GET', KEYS[1]) or ''
local answer = {epoch}
for i = 2, #KEYS do
  local raw = redis.call('GET', KEYS[i])
  if raw and string.sub(raw, 1, 1) == 'L' then
    answer[i] = ''
  elseif raw and string.sub(raw, 2, #epoch + 2) == epoch .. ':' then
    answer[i] = raw
  else
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    answer[i] = ARGV[1]
  end
end
return answer`;

/** ARGV for each key: what is expected there, what is to be there, for how many ms. */
const storeScript = `
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[3 * i - 2] then redis.call('SET', key, ARGV[3 * i - 1], 'PX', ARGV[3 * i]) end
end
return 1`;

/**
 * Entries in Redis, each with a life of its own. Whoever misses one gets a lease that lies in its place; what he loads is stored only if the
 * lease is still there, and a removal takes it away. So a value that was read before a change can never be stored after it (the
 * leases of "Scaling Memcache at Facebook", NSDI 2013).
 */
export function createSharedTier(options: SharedTierOptions): SharedTier {
  const { name, redis, telemetry, leaseMs, clock = systemClock, random = Math.random } = options;
  // One hash tag, since one script touches the epoch and the keys.
  const prefix = `{cache:${name}}`;
  const epochKey = `${prefix}epoch`;
  const pending = new Set<string>();
  let allPending = false;
  let repairing: Promise<void> | undefined;
  let repairedAtMs = Number.NEGATIVE_INFINITY;

  const del = async (keys: readonly string[]): Promise<void> => {
    for (let at = 0; at < keys.length; at += chunkLengthMax) {
      const some = keys.slice(at, at + chunkLengthMax).map((key) => prefix + key);
      await redis.run("cache.remove", (commands) => commands.del(...some));
    }
  };
  const newEpoch = () => redis.run("cache.removeAll", (commands) => commands.set(epochKey, newUlid({ clock, random })));

  const postpone = (keys: readonly string[]): void => {
    for (const key of keys) pending.add(key);
    if (pending.size <= pendingMax) return;
    pending.clear();
    allPending = true;
  };

  /** Does what waits for Redis. Until then nothing here can be believed. */
  const repair = (): Promise<void> => {
    repairedAtMs = clock.monotonic();
    repairing ??= (async () => {
      try {
        if (allPending) await newEpoch();
        allPending = false;
        const keys = [...pending];
        await del(keys);
        for (const key of keys) pending.delete(key);
        telemetry.logger.info("cached values were removed after redis came back", { cache: name, count: keys.length });
      } catch {
        // Tried again by the next reader, and when the connection is back.
      } finally {
        repairing = undefined;
      }
    })();
    return repairing;
  };
  const isBehind = () => allPending || pending.size > 0;
  redis.onReady(() => {
    if (isBehind()) void repair();
  });

  return {
    pending: () => (allPending ? pendingMax : pending.size),

    async find(keys) {
      const found = new Map<string, SharedAnswer>();
      if (isBehind()) {
        if (redis.isReady() && clock.monotonic() - repairedAtMs > repairIntervalMs) void repair();
        return found;
      }
      const lease = Buffer.from(`L${newUlid({ clock, random })}`);
      const redisKeys = [epochKey, ...keys.map((key) => prefix + key)];
      const answer = await redis
        .run("cache.find", (commands) =>
          commands.callBuffer("EVAL", findScript, redisKeys.length, ...redisKeys, lease, leaseMs),
        )
        .catch(() => undefined);
      // A removal may have failed while we asked.
      if (answer === undefined || isBehind()) return found;
      const [epoch, ...raws] = answer as Buffer[];
      const epochText = String(epoch);
      for (const [index, key] of keys.entries()) {
        const raw = raws[index];
        if (raw === undefined || raw.length === 0) continue;
        const entry = raw.equals(lease) ? undefined : readEntry(raw, epochText);
        found.set(key, { ticket: { key, epoch: epochText, expected: raw }, ...(entry && { entry }) });
      }
      return found;
    },

    store(entries) {
      if (entries.length === 0 || isBehind()) return;
      const keys = entries.map(({ ticket }) => prefix + ticket.key);
      const values = entries.flatMap(({ ticket, entry, ttlMs }) => [
        Buffer.from(ticket.expected),
        encodeEntry(entry, ticket.epoch),
        Math.ceil(ttlMs),
      ]);
      redis
        .run("cache.store", (commands) => commands.eval(storeScript, keys.length, ...keys, ...values))
        .catch(() => {});
    },

    async remove(keys) {
      try {
        await del(keys);
      } catch {
        postpone(keys);
      }
    },

    async removeAll() {
      try {
        await newEpoch();
      } catch {
        allPending = true;
      }
    },
  };
}
