import { jetstream, jetstreamManager, type StoredMsg } from "@nats-io/jetstream";
import mysql from "mysql2/promise";
import { connect, type MsgHdrs, type NatsConnection } from "nats";
import { databaseUrl } from "../dev/engines/database.ts";
import type { CaughtMessage } from "../dev/mail-catcher.ts";
import type { LedgerEntry } from "../dev/outside/ledger.ts";
import type { AddressBook } from "../dev/stack/address-book.ts";
import type { DeadLetterFact } from "./checks/facts.ts";

/** Rows of services' schemas, read directly. */
export interface Rows {
  rows<Row>(service: string, sql: string, params?: readonly (string | number)[]): Promise<Row[]>;
}

/** A message of the stream of events as it is stored. */
export interface StreamMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs;
}

/** What is so: read from engines and outside parties themselves, by their real ports, never through a proxy, a service or a cache. */
export interface Truth extends Rows, AsyncDisposable {
  ledger(): Promise<LedgerEntry[]>;
  mails(): Promise<CaughtMessage[]>;
  deadLetters(): Promise<DeadLetterFact[]>;
  /** The stream of events from its first message to the one that was last when it was asked. */
  streamEvents(): AsyncIterable<StreamMessage>;
  /** Puts messages at the end of the stream, as somebody would who redelivers them: their ids are new to the broker. */
  publish(messages: readonly Pick<StreamMessage, "subject" | "data" | "headers">[]): Promise<void>;
  /** What a durable consumer has yet to settle; nothing in it if none has any. */
  pending(): Promise<ReadonlyMap<string, number>>;
}

const eventStream = "EVENTS";
const deadLetterStream = "DEAD_LETTERS";
/** Messages that are on their way to the broker at once. */
const publishedAtOnce = 200;

/** Opens the truth of a stack. What it reads may be away and come back: each question connects anew. */
export function createTruth(addresses: Pick<AddressBook, "engines" | "database" | "paymentProvider" | "mail">): Truth {
  const pools = new Map<string, mysql.Pool>();
  const pool = (service: string): mysql.Pool => {
    const { schemaPrefix, password } = addresses.database;
    const uri = databaseUrl(addresses.engines.mysql, `${schemaPrefix}_${service}`, password);
    const known =
      pools.get(service) ?? mysql.createPool({ uri, connectionLimit: 4, timezone: "Z", bigNumberStrings: true });
    pools.set(service, known);
    return known;
  };
  const withNats = async <T>(work: (connection: NatsConnection) => Promise<T>): Promise<T> => {
    const connection = await connect({ servers: addresses.engines.nats, timeout: 5_000 });
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  };
  const fetchJson = async (url: string, headers: Record<string, string> = {}): Promise<unknown> => {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return await response.json();
  };

  return {
    async rows<Row>(service: string, sql: string, params: readonly (string | number)[] = []) {
      return (await pool(service).query<mysql.RowDataPacket[]>(sql, [...params]))[0] as Row[];
    },
    async ledger() {
      const { url, key } = addresses.paymentProvider;
      const answer = await fetchJson(`${url}/v1/ledger`, { authorization: `Bearer ${key}` });
      return (answer as { entries: LedgerEntry[] }).entries;
    },
    mails: async () => (await fetchJson(`${addresses.mail}/messages`)) as CaughtMessage[],
    deadLetters: () =>
      withNats(async (connection) => {
        const letters: DeadLetterFact[] = [];
        for await (const { headers } of readStream(connection, deadLetterStream)) {
          const [consumer, eventId, cause] = ["Consumer", "Event-Id", "Cause"].map((name) =>
            headers.get(`Weft-${name}`),
          );
          letters.push({ consumer: consumer ?? "", eventId: eventId ?? "", cause: cause ?? "" });
        }
        return letters;
      }),
    async *streamEvents() {
      const connection = await connect({ servers: addresses.engines.nats, timeout: 5_000 });
      try {
        yield* readStream(connection, eventStream);
      } finally {
        await connection.close();
      }
    },
    publish: (messages) =>
      withNats(async (connection) => {
        const client = jetstream(connection);
        for (let from = 0; from < messages.length; from += publishedAtOnce) {
          const some = messages.slice(from, from + publishedAtOnce);
          await Promise.all(some.map(({ subject, data, headers }) => client.publish(subject, data, { headers })));
        }
      }),
    pending: () =>
      withNats(async (connection) => {
        const pending = new Map<string, number>();
        for await (const { name, config, num_pending, num_ack_pending } of (
          await jetstreamManager(connection)
        ).consumers.list(eventStream)) {
          const count = num_pending + num_ack_pending;
          if (config.durable_name !== undefined && count > 0) pending.set(name, count);
        }
        return pending;
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all([...pools.values()].map((each) => each.end()));
    },
  };
}

async function* readStream(connection: NatsConnection, stream: string): AsyncGenerator<StreamMessage> {
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(stream);
  for (let seq = state.first_seq; seq <= state.last_seq && state.messages > 0; seq += 1) {
    const message: StoredMsg | null = await manager.streams.getMessage(stream, { seq });
    if (message !== null) yield { seq, subject: message.subject, data: message.data, headers: message.header };
  }
}
