import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { startNats } from "../../tools/dev/testing/engines.ts";
import { migrate } from "../data/migrate.ts";
import { eventually, startTestDatabase } from "../data/testing.ts";
import { createBroker } from "./broker.ts";
import { type ConsumerOptions, startConsumer } from "./consumer.ts";
import { createDirectPublisher, type DirectPublisherOptions } from "./direct-publisher.ts";
import { onEvent } from "./handler.ts";
import { eventMigrations } from "./migrations.ts";
import { createOutbox, type OutboxOptions } from "./outbox.ts";
import { Happened, streams } from "./testing-events.ts";

/** A schema with outbox, inbox and a table of effects; a NATS of its own; and what is started on them, all of it disposed of at the end. */
export async function startWorld() {
  await using stack = new AsyncDisposableStack();
  const at = stack.use(await startTestDatabase({ acquireTimeoutMs: 3_000 }));
  const { database, telemetry } = at;
  const nats = stack.use(await startNats());
  await migrate({ database, component: "weft_events", directory: eventMigrations, logger: telemetry.logger });
  await database.execute(
    "test.create",
    "CREATE TABLE effects (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100))",
  );
  const admin = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  stack.defer(() => admin.close());
  const manager = await jetstreamManager(admin);
  const broker = stack.use(createBroker({ url: nats.url, service: "test", telemetry, ...streams }));
  const resources = stack.move();

  /** A handler that writes the event's text into the table of effects. */
  const effect = onEvent(Happened, async (tx, { text }) => {
    await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
  });
  return {
    ...at,
    ...{ broker, nats, admin, manager, effect },
    newBroker: (url = nats.url, of = streams) =>
      resources.use(createBroker({ url, service: "test", telemetry, ...of })),
    outbox: (options: Partial<OutboxOptions> = {}) =>
      resources.use(createOutbox({ database, broker, telemetry, ...options })),
    publisher: (options: Partial<DirectPublisherOptions> = {}) =>
      resources.use(createDirectPublisher({ broker, telemetry, ...options })),
    consumer: (options: Partial<ConsumerOptions> = {}) =>
      resources.use(
        startConsumer({
          service: "test",
          database,
          broker,
          telemetry,
          handlers: [effect],
          ackWaitMs: 1_500,
          ...options,
        }),
      ),
    effects: async () => {
      const rows = await database.query<{ text: string }>("test.effects", "SELECT text FROM effects ORDER BY id");
      return rows.map((row) => row.text);
    },
    count: async (where: string) => {
      const sql = `SELECT COUNT(*) AS n FROM weft_outbox WHERE ${where}`;
      const [row] = await database.query<{ n: string }>("test.count", sql);
      return Number(row?.n);
    },
    /** Messages in a stream. */
    stored: async (stream: string) => (await manager.streams.info(stream)).state.messages,
    /** Nothing is left to deliver, or delivered and not acknowledged. */
    settled: async (consumer = "test") => {
      const info = await manager.consumers.info(streams.events.name, consumer).catch(() => undefined);
      return info !== undefined && info.num_pending + info.num_ack_pending === 0;
    },
    deadLetters: async () => {
      const { state } = await manager.streams.info(streams.deadLetters.name);
      const all = [];
      for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq += 1) {
        all.push(await manager.streams.getMessage(streams.deadLetters.name, { seq }));
      }
      return all.filter((letter) => letter !== null);
    },
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  };
}

export type World = Awaited<ReturnType<typeof startWorld>>;
export { eventually };
