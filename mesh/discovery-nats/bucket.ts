import { AckPolicy, DeliverPolicy, DiscardPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { headers, type MsgHdrs, type NatsConnection } from "nats";
import type { Random } from "../contract/clock.ts";
import { backoffMs, waitFor } from "../events/backoff.ts";
import { nanoseconds } from "../events/streams.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";
import type { Link } from "./link.ts";

export interface BucketOptions {
  readonly link: Link;
  /** "weft_instances" */
  readonly name: string;
  /** What has not been put again for so long is forgotten by the bucket, without a word to those who watch. */
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly telemetry: Telemetry;
  readonly random?: Random;
}

/** What a key of a bucket holds now. */
export interface BucketEntry {
  readonly key: string;
  /** Undefined: it was removed. */
  readonly value: Uint8Array | undefined;
  /** Why it was removed, if who did it has said so. */
  readonly reason: string | undefined;
}

/** A NATS key-value bucket: a stream that keeps the last message of each subject, as other programs know it. */
export interface Bucket {
  /** Rejects if it is not stored; it is not sent later. */
  put(key: string, value: Uint8Array): Promise<void>;
  remove(key: string, reason: string): Promise<void>;
  /**
   * Tells of each matching entry that the bucket holds, now and whenever the connection was made again, and of each change.
   *
   * @param filter keys, in NATS' wildcards: "shop.>"
   * @param readAgainIntervalMs how often all of it is read again, where entries are not put again in time
   */
  watch(filter: string, onEntry: (entry: BucketEntry) => void, readAgainIntervalMs?: number): Disposable;
  /** All matching entries that the bucket holds. */
  read(filter: string): Promise<BucketEntry[]>;
}

const storeTimeoutMs = 2_000;
const readBackoff = { initialMs: 100, maxMs: 2_000 };
/** JetStream forgets a reader that has died by then. */
const readerInactiveMs = 10_000;
const operationHeader = "KV-Operation";
const reasonHeader = "Weft-Reason";
/** JetStream's "stream name already in use with a different configuration". */
const differentConfiguration = 10058;

/**
 * Creates a bucket on the first occasion, on disk. Changes are heard by a plain subscription, not by a consumer: that needs nothing of
 * the server that could be lost in silence, hears even what the bucket cannot store, and the client makes it again by itself.
 */
export function createBucket(options: BucketOptions): Bucket {
  const { link, name, telemetry, random = Math.random } = options;
  const prefix = `$KV.${name}.`;
  const stream = `KV_${name}`;
  let connection: NatsConnection | undefined;
  link.whenUp((up) => {
    connection = up;
  });

  const ensure = async (to: NatsConnection): Promise<void> => {
    const manager = await jetstreamManager(to, { checkAPI: false });
    try {
      await manager.streams.add({
        name: stream,
        subjects: [`${prefix}>`],
        storage: StorageType.File,
        discard: DiscardPolicy.Old,
        max_msgs_per_subject: 1,
        max_age: nanoseconds(options.maxAgeMs),
        max_bytes: options.maxBytes,
        allow_rollup_hdrs: true,
        allow_direct: true,
      });
    } catch (error) {
      // Another release's idea of its bounds will do.
      if ((error as { code?: unknown }).code !== differentConfiguration) throw error;
    }
  };
  const requireConnection = (): NatsConnection => {
    if (connection === undefined || !link.isUp()) throw new Error("the registry is away");
    return connection;
  };
  const store = async (key: string, value: Uint8Array, hdrs?: MsgHdrs): Promise<void> => {
    const to = requireConnection();
    try {
      await jetstream(to).publish(prefix + key, value, {
        timeout: storeTimeoutMs,
        ...(hdrs && { headers: hdrs }),
      });
    } catch (error) {
      // Perhaps somebody has deleted the bucket. Who watches has heard it all the same.
      if (link.isUp()) await ensure(to).catch(() => {});
      throw error;
    }
  };

  return {
    put: (key, value) => store(key, value),
    remove(key, reason) {
      const hdrs = headers();
      hdrs.set(operationHeader, "DEL");
      hdrs.set(reasonHeader, reason);
      return store(key, new Uint8Array(), hdrs);
    },
    async read(filter) {
      const to = requireConnection();
      await ensure(to);
      const found = await readStream(to, stream, prefix + filter);
      return found.map(({ subject, data, headers: hdrs }) => entryOf(subject.slice(prefix.length), data, hdrs));
    },
    watch(filter, onEntry, readAgainIntervalMs) {
      const log = createTransitionLog(telemetry.logger, `${name} cannot be read`, `${name} can be read again`);
      const stopped = new AbortController();
      const heard = new Set<string>();
      let subscription: Disposable | undefined;
      let session = 0;

      const listen = (to: NatsConnection): Disposable => {
        const subscribed = to.subscribe(prefix + filter, {
          callback(error, message) {
            if (error) return;
            heard.add(message.subject);
            onEntry(entryOf(message.subject.slice(prefix.length), message.data, message.headers));
          },
        });
        return { [Symbol.dispose]: () => subscribed.unsubscribe() };
      };
      const readAll = async (to: NatsConnection): Promise<void> => {
        await ensure(to);
        for (const { subject, data, headers: hdrs } of await readStream(to, stream, prefix + filter)) {
          // What was heard since is newer.
          if (heard.has(subject)) continue;
          onEntry(entryOf(subject.slice(prefix.length), data, hdrs));
        }
      };
      const read = async (to: NatsConnection): Promise<void> => {
        session += 1;
        const own = session;
        heard.clear();
        for (let failures = 1; own === session && link.isUp() && !stopped.signal.aborted; failures += 1) {
          try {
            await readAll(to);
            return log.worked();
          } catch (error) {
            log.failed(error);
            await waitFor(backoffMs(readBackoff, failures, random), stopped.signal);
          }
        }
      };

      const watching = link.whenUp((to) => {
        subscription ??= listen(to);
        void read(to);
      });
      const again = (): void => {
        if (connection !== undefined && link.isUp()) void read(connection);
      };
      const timer = readAgainIntervalMs === undefined ? undefined : setInterval(again, readAgainIntervalMs).unref();
      return {
        [Symbol.dispose]() {
          stopped.abort();
          clearInterval(timer);
          watching[Symbol.dispose]();
          subscription?.[Symbol.dispose]();
        },
      };
    },
  };
}

interface StoredMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
}

/** The last message of each subject that matches. */
async function readStream(connection: NatsConnection, stream: string, filter: string): Promise<StoredMessage[]> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const reader = await manager.consumers.add(stream, {
    filter_subject: filter,
    deliver_policy: DeliverPolicy.LastPerSubject,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanoseconds(readerInactiveMs),
    mem_storage: true,
  });
  const found: StoredMessage[] = [];
  try {
    if (reader.num_pending === 0) return found;
    const consumer = await jetstream(connection).consumers.get(stream, reader.name);
    const messages = await consumer.fetch({ max_messages: reader.num_pending, expires: 2_000 });
    for await (const { subject, data, headers: hdrs } of messages) found.push({ subject, data, headers: hdrs });
    return found;
  } finally {
    await manager.consumers.delete(stream, reader.name).catch(() => {});
  }
}

function entryOf(key: string, data: Uint8Array, hdrs: MsgHdrs | undefined): BucketEntry {
  const removed = hdrs !== undefined && hdrs.get(operationHeader) !== "";
  return {
    key,
    value: removed ? undefined : data,
    reason: (removed && hdrs.get(reasonHeader)) || undefined,
  };
}
