import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { deadlineExceeded, runDetached } from "../context/call-context.ts";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { bounded } from "../data/bounded.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { SharedEntry } from "./entry.ts";
import { createFlights, type Flight } from "./flights.ts";
import { createLocalTier, type Held } from "./local-tier.ts";
import { measureCache } from "./metrics.ts";
import type { RedisConnection } from "./redis.ts";
import { schemaFingerprint } from "./schema-fingerprint.ts";
import { createSharedTier, type StoredEntry, type Ticket } from "./shared-tier.ts";

export interface CacheOptions<Desc extends DescMessage> {
  /** "catalog.product": of its metrics, and of its keys in Redis, so unique among all that share one. */
  readonly name: string;
  /** The values' message type. Processes that know different versions of it do not read each other's values. */
  readonly schema: Desc;
  /** The tier that all processes share; without it each has only its own. */
  readonly redis?: RedisConnection;
  readonly telemetry: Telemetry;
  /** How long a value is fresh; up to a tenth less by chance, so that not all end at once. 5 minutes by default. */
  readonly ttlMs?: number;
  /** How long after that it is still given out, while a new one is loaded behind it; a minute by default. */
  readonly staleMs?: number;
  /** How long it is believed that there is no value; 5 s by default. */
  readonly negativeTtlMs?: number;
  /** How long a process keeps a value without asking Redis; 30 s by default: the bound if no invalidation reaches it. */
  readonly localTtlMs?: number;
  /** Values that a process holds at most; 10,000 by default. */
  readonly entriesMax?: number;
  /** Bytes of keys and encoded values that a process holds at most; 16 MiB by default. Decoded they take several times that. */
  readonly bytesMax?: number;
  /** How long loading may take; 2 s by default. */
  readonly loadTimeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Values in two tiers: this process's memory over Redis. What it promises is in README.md. Values are shared by all who get them:
 * nobody may change one.
 */
export interface Cache<Value> {
  readonly name: string;
  /** How long a value is given out at most: fresh, then stale. */
  readonly lifeMs: number;
  /**
   * The value of a key; undefined if there is none. `load` is asked when no tier has it: once in this process, whoever waits for it, and
   * under a time limit of its own, so that one caller who goes away does not take it from the others. Its error is theirs, and is not kept.
   * It must find the same for everybody: whether a caller may have the value is asked before.
   */
  get(key: string, load: () => Promise<Value | undefined>): Promise<Value | undefined>;
  /** The values of several keys, those without one left out. `load` is asked once, for all keys that no tier has. */
  getMany(
    keys: readonly string[],
    load: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
  ): Promise<Map<string, Value>>;
  /**
   * Forgets values that have changed, in this process and in Redis. To be called after the change is committed, by whoever made it and
   * by every process that hears of it (`keepFresh`). Never throws: what Redis cannot do now it does before it is read again.
   */
  invalidate(keys: readonly string[]): Promise<void>;
  /** Forgets all values, in this process and in Redis. */
  invalidateAll(): Promise<void>;
  /** Forgets what this process holds: it may have missed a change. */
  forgetLocal(): void;
  /** Uses this process's memory only while the condition holds: while invalidations reach it. */
  trustLocalWhile(condition: () => boolean): void;
}

type Started<Value> = ReadonlyMap<string, Flight<Value>>;
type Load<Value> = (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>;

/** Creates a cache. */
export function createCache<Desc extends DescMessage>(options: CacheOptions<Desc>): Cache<MessageShape<Desc>> {
  type Value = MessageShape<Desc>;
  const { name, schema, redis, telemetry, ttlMs = 300_000, staleMs = 60_000, negativeTtlMs = 5_000 } = options;
  const { localTtlMs = 30_000, entriesMax = 10_000, bytesMax = 16 * 1024 * 1024, loadTimeoutMs = 2_000 } = options;
  const { clock = systemClock, random = Math.random } = options;
  const local = createLocalTier<Value>({ entriesMax, bytesMax, ttlMs: localTtlMs, clock });
  const flights = createFlights<Value>();
  const count = measureCache(telemetry, name, {
    entries: local.size,
    bytes: local.bytes,
    pending: () => shared?.pending() ?? 0,
  });
  const shared =
    redis &&
    createSharedTier({
      ...{ name, version: schemaFingerprint(schema), redis, telemetry, clock, random },
      ...{ leaseMs: 2 * loadTimeoutMs, onFailure: count.sharedFailed },
    });

  const heldOf = (value: Value | undefined, freshUntilMs: number, bytes: number): Held<Value> => {
    const usableUntilMs = freshUntilMs + (value === undefined ? 0 : staleMs);
    return { value, freshUntilMs, usableUntilMs, bytes };
  };

  const land = (key: string, flight: Flight<Value>, held: Held<Value>): void => {
    if (flight.isValid()) local.keep(key, held);
    flight.land(held.value);
  };

  /** Lands a flight with what Redis has, if that will do. */
  const landShared = (key: string, flight: Flight<Value>, entry: SharedEntry | undefined, mayBeStale: boolean) => {
    if (entry === undefined) return "no";
    const value = decode(schema, entry.payload);
    if (value === undefined && entry.payload !== undefined) return "no";
    const held = heldOf(value, entry.freshUntilMs, entry.payload?.length ?? 0);
    const isStale = clock.now() >= held.freshUntilMs;
    if (isStale && (!mayBeStale || clock.now() >= held.usableUntilMs)) return "no";
    count.hit("shared", isStale);
    land(key, flight, held);
    return isStale ? "stale" : "fresh";
  };

  const loadMissing = async (
    missing: Started<Value>,
    tickets: ReadonlyMap<string, Ticket>,
    load: Load<Value>,
  ): Promise<void> => {
    count.missed(missing.size);
    const loaded = await count.load(() => load([...missing.keys()]));
    const nowMs = clock.now();
    const toStore: StoredEntry[] = [];
    for (const [key, flight] of missing) {
      const value = loaded.get(key);
      const payload = value && toBinary(schema, value);
      const lifeMs = (value === undefined ? negativeTtlMs : ttlMs) * (1 - random() / 10);
      const held = heldOf(value, nowMs + lifeMs, payload?.length ?? 0);
      const ticket = tickets.get(key);
      if (ticket !== undefined && flight.isValid()) {
        const entry = { payload, freshUntilMs: held.freshUntilMs };
        toStore.push({ ticket, entry, ttlMs: held.usableUntilMs - nowMs });
      }
      land(key, flight, held);
    }
    shared?.store(toStore);
  };

  /** Lands started flights: out of Redis, or by loading. Answers with the keys that have been given a stale value. */
  const bring = async (started: Started<Value>, load: Load<Value>, mayBeStale: boolean): Promise<string[]> => {
    const answers = await shared?.find([...started.keys()]);
    const tickets = new Map<string, Ticket>();
    const missing = new Map<string, Flight<Value>>();
    const stale: string[] = [];
    for (const [key, flight] of started) {
      const { entry, ticket } = answers?.get(key) ?? {};
      if (ticket) tickets.set(key, ticket);
      const landed = landShared(key, flight, entry, mayBeStale);
      if (landed === "stale") stale.push(key);
      if (landed === "no") missing.set(key, flight);
    }
    if (missing.size > 0) await loadMissing(missing, tickets, load);
    return stale;
  };

  /** Starts to get values in the background, whatever becomes of who asked for them, but within loadTimeoutMs. */
  const fly = (keys: readonly string[], load: Load<Value>, mayBeStale: boolean): Started<Value> => {
    const started = new Map(keys.map((key) => [key, flights.start(key)]));
    const bound = { limitMs: loadTimeoutMs, onLimit: () => deadlineExceeded(loadTimeoutMs), onAbandon: () => {} };
    runDetached({ timeoutMs: loadTimeoutMs }, () => bounded(bound, () => bring(started, load, mayBeStale))).then(
      (stale) => refresh(stale, load),
      (error: unknown) => {
        for (const flight of started.values()) flight.fail(error);
      },
    );
    return started;
  };
  const refresh = (keys: readonly string[], load: Load<Value>): void => {
    const idle = keys.filter((key) => flights.get(key) === undefined);
    if (idle.length > 0) fly(idle, load, false);
  };

  const getMany: Cache<Value>["getMany"] = async (keys, load) => {
    const values = new Map<string, Value>();
    const awaited = new Map<string, Flight<Value>>();
    const toLoad: string[] = [];
    const toRefresh: string[] = [];
    const nowMs = clock.now();
    for (const key of new Set(keys)) {
      const held = local.find(key);
      if (held !== undefined) {
        const isStale = nowMs >= held.freshUntilMs;
        count.hit("local", isStale);
        if (held.value !== undefined) values.set(key, held.value);
        if (isStale) toRefresh.push(key);
        continue;
      }
      const flight = flights.get(key);
      if (flight === undefined) toLoad.push(key);
      else {
        count.waited();
        awaited.set(key, flight);
      }
    }
    refresh(toRefresh, load);
    if (toLoad.length > 0) for (const [key, flight] of fly(toLoad, load, true)) awaited.set(key, flight);
    if (awaited.size === 0) return values;
    // A flight lands within loadTimeoutMs; what ends this wait sooner is the end of the caller's own call.
    const bound = { limitMs: 2 * loadTimeoutMs, onLimit: () => deadlineExceeded(loadTimeoutMs), onAbandon: () => {} };
    const found = await bounded(bound, () =>
      Promise.all([...awaited].map(async ([key, { promise }]) => [key, await promise] as const)),
    );
    for (const [key, value] of found) if (value !== undefined) values.set(key, value);
    return values;
  };

  const drop = (keys: readonly string[]): void => {
    for (const key of keys) {
      local.drop(key);
      flights.overtake(key);
    }
  };
  const forgetLocal = (): void => {
    flights.overtakeAll();
    local.clear();
  };

  return {
    name,
    lifeMs: ttlMs + staleMs,
    getMany,
    async get(key, load) {
      const loadOne = async () => {
        const value = await load();
        return new Map(value === undefined ? [] : [[key, value]]);
      };
      return (await getMany([key], loadOne)).get(key);
    },
    async invalidate(keys) {
      count.invalidated(keys.length);
      drop(keys);
      await shared?.remove(keys);
      // Whoever read Redis meanwhile may have read what was about to go.
      drop(keys);
    },
    async invalidateAll() {
      count.invalidated(1);
      forgetLocal();
      await shared?.removeAll();
      forgetLocal();
    },
    forgetLocal,
    trustLocalWhile: local.trustWhile,
  };
}

/** Undefined also if the bytes are no such message: somebody else has written there. */
function decode<Desc extends DescMessage>(
  schema: Desc,
  payload: Uint8Array | undefined,
): MessageShape<Desc> | undefined {
  if (payload === undefined) return undefined;
  try {
    return fromBinary(schema, payload);
  } catch {
    return undefined;
  }
}
