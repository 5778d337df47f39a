import { AckPolicy, DeliverPolicy, type JetStreamManager, type StoredMsg } from "@nats-io/jetstream";
import type { MsgHdrs } from "nats";
import type { DeadLetter, DeadLetterFilter } from "../contract/dead-letters.ts";
import type { BrokerSession } from "./broker.ts";
import { deadLetterHeaders } from "./dead-letter.ts";
import { type EventStream, nanoseconds } from "./streams.ts";

/** One service's part of the stream of dead letters. */
export interface DeadLetterStream {
  /** Letters after a number, oldest first, at most `limit`; without their bodies. */
  heads(
    session: BrokerSession,
    from: Pick<DeadLetterFilter, "subject" | "since"> & {
      readonly afterId: bigint | undefined;
      readonly limit: number;
    },
  ): Promise<DeadLetter[]>;
  /** Undefined if it is gone, or another service's. */
  get(session: BrokerSession, letterId: bigint): Promise<StoredLetter | undefined>;
  /** False if it is gone. */
  remove(session: BrokerSession, letterId: bigint): Promise<boolean>;
  /** Letters of this service, and bytes of all services'. */
  usage(session: BrokerSession): Promise<{ total: number; streamBytes: number; streamBytesMax: number }>;
}

export interface StoredLetter {
  readonly letter: DeadLetter;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

/** How long the server may be silent before a page ends with what has come. */
const fetchMs = 2_000;
/** A reader that was not deleted goes away by itself. */
const readerLifetimeMs = 30_000;

export function createDeadLetterStream({ name, prefix }: EventStream, service: string): DeadLetterStream {
  const own = `${prefix}.${service}.`;
  const find = async (manager: JetStreamManager, letterId: bigint): Promise<StoredMsg | undefined> => {
    // Larger ones would be rounded, to another's number.
    if (letterId < 1n || letterId > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    const message = await manager.streams.getMessage(name, { seq: Number(letterId) });
    return message?.subject.startsWith(own) ? message : undefined;
  };

  return {
    async heads({ manager, jetstream }, { subject, since, afterId, limit }) {
      const reader = await manager.consumers.add(name, {
        filter_subject: `${own}${subject || ">"}`,
        ...startOf(afterId, since),
        ack_policy: AckPolicy.None,
        headers_only: true,
        mem_storage: true,
        inactive_threshold: nanoseconds(readerLifetimeMs),
      });
      try {
        const heads: DeadLetter[] = [];
        const count = Math.min(limit, reader.num_pending);
        if (count === 0) return heads;
        const consumer = await jetstream.consumers.get(name, reader.name);
        for await (const message of await consumer.fetch({ max_messages: count, expires: fetchMs })) {
          const at = { seq: message.seq, subject: message.subject, time: new Date(message.info.timestampNanos / 1e6) };
          heads.push(toLetter(own, at, message.headers));
        }
        return heads;
      } finally {
        await manager.consumers.delete(name, reader.name).catch(() => {});
      }
    },

    async get({ manager }, letterId) {
      const message = await find(manager, letterId);
      if (message === undefined) return undefined;
      const headers = Object.fromEntries(message.header.keys().map((key) => [key, message.header.get(key)]));
      return { letter: toLetter(own, message, message.header), headers, data: message.data };
    },

    async remove({ manager }, letterId) {
      if ((await find(manager, letterId)) === undefined) return false;
      try {
        return await manager.streams.deleteMessage(name, Number(letterId));
      } catch (error) {
        // Somebody else was faster between the two.
        if ((await find(manager, letterId)) === undefined) return false;
        throw error;
      }
    },

    async usage({ manager }) {
      const { state, config } = await manager.streams.info(name, { subjects_filter: `${own}>` });
      const total = Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
      return { total, streamBytes: state.bytes, streamBytesMax: config.max_bytes };
    },
  };
}

function startOf(afterId: bigint | undefined, since: Date | undefined) {
  if (afterId !== undefined) {
    return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Number(afterId) + 1 };
  }
  if (since === undefined) return { deliver_policy: DeliverPolicy.All };
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: since.toISOString() };
}

function toLetter(
  own: string,
  at: { readonly seq: number; readonly subject: string; readonly time: Date },
  headers: MsgHdrs | undefined,
): DeadLetter {
  const header = (name: string) => headers?.get(name) ?? "";
  return {
    letterId: BigInt(at.seq),
    givenUpAt: at.time,
    subject: at.subject.slice(own.length),
    eventId: header(deadLetterHeaders.eventId),
    cause: header(deadLetterHeaders.cause),
    deliveries: Number(header(deadLetterHeaders.deliveries)) || 0,
    traceId: header("traceparent").split("-")[1] ?? "",
  };
}
