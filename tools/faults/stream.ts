import { type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, headers as natsHeaders } from "nats";
import { integerFrom, type Random } from "../dev/history/chance.ts";

/** A message as it lies in the stream of events, or is to lie there. */
export interface EventMessage {
  readonly subject: string;
  /** Nats-Msg-Id: JetStream drops a second one of an id for two minutes. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

/** The stream of events, at the engine itself. */
export interface Stream extends AsyncDisposable {
  /** The last messages, oldest first. */
  newest(count: number): Promise<EventMessage[]>;
  /** Resolves when it is stored. */
  publish(message: EventMessage): Promise<void>;
}

const STREAM = "EVENTS";
const TIMEOUT_MS = 5_000;

export async function openStream(natsUrl: string): Promise<Stream> {
  const connection = await connect({ servers: natsUrl, timeout: TIMEOUT_MS });
  const manager = await jetstreamManager(connection, { timeout: TIMEOUT_MS });
  const client = jetstream(connection, { timeout: TIMEOUT_MS });
  return {
    newest: (count) => readLast(manager, count),
    async publish({ subject, id, headers, data }) {
      const sent = natsHeaders();
      for (const [name, value] of Object.entries(headers)) sent.set(name, value);
      await client.publish(subject, data, { msgID: id, headers: sent });
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

async function readLast(manager: JetStreamManager, count: number): Promise<EventMessage[]> {
  const { first_seq, last_seq } = (await manager.streams.info(STREAM)).state;
  const messages: EventMessage[] = [];
  for (let seq = Math.max(first_seq, last_seq - count + 1); seq <= last_seq; seq++) {
    const message = await manager.streams.getMessage(STREAM, { seq });
    if (message === null) continue;
    const entries = message.header.keys().map((name) => [name, message.header.get(name)] as const);
    const { "Nats-Msg-Id": id = "", ...headers } = Object.fromEntries(entries);
    messages.push({ subject: message.subject, id, headers, data: message.data });
  }
  return messages;
}

/** The same items in an order that is drawn (Fisher and Yates). */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last--) {
    const at = integerFrom(random, 0, last);
    [mixed[last], mixed[at]] = [mixed[at] as T, mixed[last] as T];
  }
  return mixed;
}
