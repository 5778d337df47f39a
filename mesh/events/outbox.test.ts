import { fromBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { jetstream } from "@nats-io/jetstream";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { EventEnvelopeSchema } from "../gen/weft/v1/event_pb.ts";
import type { Broker } from "./broker.ts";
import type { Outbox } from "./outbox.ts";
import { eventually, startWorld, type World } from "./testing.ts";
import { Foreign, Happened, NoEvent, streams } from "./testing-events.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await world.broker.session(AbortSignal.timeout(5_000));
});
afterAll(() => world?.[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.database.execute("test.clear", "DELETE FROM weft_outbox");
  await world.manager.streams.purge(streams.events.name);
});

/** Appends one event for each text, each in a transaction of its own, a few at once. */
async function append(outbox: Outbox, ...all: string[]): Promise<string[]> {
  const one = (text: string) =>
    world.database.transaction("test.append", (tx) =>
      outbox.append(tx, Happened, { thingId: "thing-1", text }, { version: 3n }),
    );
  const ids: string[] = [];
  for (let from = 0; from < all.length; from += 50)
    ids.push(...(await Promise.all(all.slice(from, from + 50).map(one))));
  return ids;
}

const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`);
const allPublished = async () => (await world.count("published_at IS NULL")) === 0;

test("an event is in the outbox if, and only if, its transaction commits", async () => {
  await using outbox = world.outbox();
  const attempt = (fail: boolean) =>
    world.database.transaction("test.append", async (tx) => {
      await outbox.append(tx, Happened, { thingId: "thing-1", text: fail ? "undone" : "done" });
      if (fail) throw new Error("no");
    });
  await expect(attempt(true)).rejects.toThrow("no");
  expect(await world.count("1 = 1")).toBe(0);
  await attempt(false);
  expect(await world.count("aggregate_id = 'thing-1' AND type = 'things.v1.Happened'")).toBe(1);
});

test("the relay publishes what is committed: envelope, message id, and the trace of the call that made the change", async () => {
  await using outbox = world.outbox();
  const beforeMs = Date.now();
  let traceId: string | undefined;
  const [eventId] = await world.telemetry.span("a call", {}, (span) => {
    traceId = span.spanContext().traceId;
    return append(outbox, "hello");
  });
  await eventually(allPublished);
  const message = await world.manager.streams.getMessage(streams.events.name, { last_by_subj: "things.v1.Happened" });
  const envelope = fromBinary(EventEnvelopeSchema, message?.data ?? new Uint8Array());
  expect(envelope).toMatchObject({ eventId, type: "things.v1.Happened", aggregateId: "thing-1", aggregateVersion: 3n });
  expect(fromBinary(Happened, envelope.payload)).toMatchObject({ thingId: "thing-1", text: "hello" });
  const occurredAt = envelope.occurredAt && timestampDate(envelope.occurredAt);
  expect(occurredAt?.getTime()).toBeGreaterThanOrEqual(beforeMs);
  expect(message?.header.get("Nats-Msg-Id")).toBe(eventId);
  expect(message?.header.get("traceparent").split("-")[1]).toBe(traceId);
});

test("a commit wakes the relay: no event waits for the next poll", async () => {
  await using outbox = world.outbox();
  await append(outbox, "first");
  await eventually(allPublished);
  const waits: number[] = [];
  for (const text of texts(5)) {
    const startedMs = performance.now();
    await append(outbox, text);
    await eventually(allPublished);
    waits.push(performance.now() - startedMs);
  }
  // The poll comes once in 1,000 ms.
  expect(waits.toSorted((a, b) => a - b)[2]).toBeLessThan(300);
});

test.each([
  ["a message without the option", NoEvent, { thingId: "1" }, /things\.v1\.NoEvent: has no \(weft\.v1\.event\) option/],
  ["a subject that no stream takes", Foreign, { thingId: "1" }, /things\.v1\.Foreign: no stream takes/],
  ["an empty key", Happened, { text: "x" }, /things\.v1\.Happened: thingId, the event's key, is empty/],
  [
    "too large an event",
    Happened,
    { thingId: "1", text: "x".repeat(600_000) },
    /things\.v1\.Happened: .*eventBytesMax/,
  ],
])("append() refuses %s", async (_, schema, init, problem) => {
  await using outbox = world.outbox();
  const work = world.database.transaction("test.append", (tx) => outbox.append(tx, schema, init));
  await expect(work).rejects.toThrow(problem);
});

test("two relays on one outbox publish each event once, not twice at the same time", async () => {
  const published: string[] = [];
  const counted = (broker: Broker): Broker => ({
    ...broker,
    async session(signal) {
      const session = await broker.session(signal);
      return {
        ...session,
        publish: (message) => {
          published.push(message.id);
          return session.publish(message);
        },
      };
    },
  });
  await using firstBroker = world.newBroker();
  await using secondBroker = world.newBroker();
  await using first = world.outbox({ broker: counted(firstBroker) });
  await using second = world.outbox({ broker: counted(secondBroker) });
  const ids = await Promise.all([append(first, ...texts(300)), append(second, ...texts(300))]);
  await eventually(allPublished);
  expect(published.toSorted()).toEqual(ids.flat().toSorted());
  expect(await world.stored(streams.events.name)).toBe(600);
});

test("an event is published from memory: nobody looks for it in the table", async () => {
  const names: string[] = [];
  const heard: typeof world.database = {
    ...world.database,
    transaction: (name, fn) =>
      world.database.transaction(name, (tx) =>
        fn({
          ...tx,
          execute(statement, ...rest) {
            names.push(statement);
            return tx.execute(statement, ...rest);
          },
        }),
      ),
  };
  await using outbox = world.outbox({ database: heard });
  await append(outbox, ...texts(20));
  await eventually(allPublished);
  expect(await world.stored(streams.events.name)).toBe(20);
  expect(names).not.toContain("outbox.claimRows");
});

test("what its process cannot publish is a relay's at once, and after five seconds if the process does not say so", async () => {
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const frozen: Broker = { ...world.broker, session: never };
  await append(world.outbox({ broker: frozen }), "held");
  const lease = "claimed_until BETWEEN UTC_TIMESTAMP(3) AND UTC_TIMESTAMP(3) + INTERVAL 5 SECOND";
  expect(await world.count(`published_at IS NULL AND ${lease}`)).toBe(1);
  const refusing: Broker = {
    ...world.broker,
    session: async (signal) => ({
      ...(await world.broker.session(signal)),
      publish: () => Promise.reject(new Error("no")),
    }),
  };
  await append(world.outbox({ broker: refusing }), "refused");
  await using _relay = world.outbox();
  const isPublished = async (text: string) =>
    (await world.count(`published_at IS NOT NULL AND INSTR(envelope, '${text}') > 0`)) === 1;
  await eventually(() => isPublished("refused"));
  expect(await isPublished("held")).toBe(false);
  await eventually(() => isPublished("held"));
}, 20_000);

test("rows that a relay has claimed are another's only when its lease is over", async () => {
  const insert = (id: string, claimedUntil: string) =>
    world.database.execute(
      "test.insert",
      `INSERT INTO weft_outbox (event_id, subject, type, aggregate_id, aggregate_version, envelope, created_at, claimed_until)
       VALUES (?, 'things.v1.Happened', 'things.v1.Happened', 'thing-1', 0, '', UTC_TIMESTAMP(3), UTC_TIMESTAMP(3) ${claimedUntil})`,
      [id],
    );
  await insert("dead-relay", "- INTERVAL 1 SECOND");
  await insert("busy-relay", "+ INTERVAL 60 SECOND");
  await using _outbox = world.outbox();
  await eventually(async () => (await world.count("published_at IS NOT NULL")) === 1);
  expect(await world.count("event_id = 'busy-relay' AND published_at IS NULL")).toBe(1);
});

test("a row that cannot be published does not hold up the others", async () => {
  await world.database.execute(
    "test.insert",
    `INSERT INTO weft_outbox (event_id, subject, type, aggregate_id, aggregate_version, envelope, created_at)
     VALUES ('poison', 'nowhere', 'nowhere', 'thing-1', 0, '', UTC_TIMESTAMP(3))`,
  );
  await using outbox = world.outbox();
  await append(outbox, ...texts(20));
  await eventually(async () => (await world.count("published_at IS NOT NULL")) === 20);
  expect(await world.count("event_id = 'poison' AND published_at IS NULL")).toBe(1);
});

test("published rows are kept for the retention and then removed; unpublished ones never", async () => {
  const insert = (id: string, publishedAt: string) =>
    world.database.execute(
      "test.insert",
      `INSERT INTO weft_outbox (event_id, subject, type, aggregate_id, aggregate_version, envelope, created_at, claimed_until, published_at)
       VALUES (?, 'things.v1.Happened', 'things.v1.Happened', 'thing-1', 0, '', UTC_TIMESTAMP(3) - INTERVAL 9 DAY,
               UTC_TIMESTAMP(3) + INTERVAL 1 DAY, ${publishedAt})`,
      [id],
    );
  await insert("old", "UTC_TIMESTAMP(3) - INTERVAL 8 DAY");
  await insert("young", "UTC_TIMESTAMP(3) - INTERVAL 6 DAY");
  await insert("unpublished", "NULL");
  await using _outbox = world.outbox();
  await eventually(async () => (await world.count("event_id = 'old'")) === 0);
  expect(await world.count("event_id IN ('young', 'unpublished')")).toBe(2);
});

test("disposing publishes what was committed a moment before", async () => {
  const outbox = world.outbox();
  await append(outbox, ...texts(200));
  await outbox[Symbol.asyncDispose]();
  expect(await allPublished()).toBe(true);
});

test("streams that somebody has deleted are made again", async () => {
  await using outbox = world.outbox();
  await append(outbox, "before");
  await eventually(allPublished);
  await world.manager.streams.delete(streams.events.name);
  await append(outbox, "after");
  await eventually(allPublished);
  expect(await world.stored(streams.events.name)).toBe(1);
});

test("a start without a broker does not wait; what is appended goes out when it is there; it can be disposed of without", async () => {
  await using unreachable = world.newBroker("nats://127.0.0.1:1");
  await using outbox = world.outbox({ broker: unreachable });
  await append(outbox, "kept");
  expect(unreachable.isConnected()).toBe(false);
  await outbox[Symbol.asyncDispose]();
  expect(await world.count("published_at IS NULL")).toBe(1);
  await using _late = world.outbox();
  await eventually(allPublished);
});

test("a killed broker loses nothing: the relay waits, says so once, and goes on when it is back", async () => {
  await using outbox = world.outbox();
  await append(outbox, ...texts(50));
  world.nats.kill("SIGKILL");
  await world.nats.stop();
  world.lines.length = 0;
  await append(outbox, ...texts(150));
  await eventually(() => !world.broker.isConnected());
  expect(await world.count("1 = 1")).toBe(200);
  await world.nats.start();
  await eventually(allPublished);
  expect(await world.stored(streams.events.name)).toBe(200);
  expect(world.lines.filter((line) => line.includes("broker is away")).length).toBeLessThanOrEqual(1);
  expect(world.lines.filter((line) => line.includes("cannot publish")).length).toBeLessThanOrEqual(1);
});

test("the gauges tell how many events wait, and for how long", async () => {
  await using unreachable = world.newBroker("nats://127.0.0.1:1");
  await using outbox = world.outbox({ broker: unreachable });
  await append(outbox, ...texts(3));
  const port = await freePort();
  await using _metrics = await world.telemetry.serveMetrics({ host: "127.0.0.1", port });
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(text).toMatch(/^weft_outbox_pending\S* 3$/m);
  expect(text).toMatch(/^weft_outbox_oldest_age\S* 0\.?\d*$/m);
});

test("JetStream drops what a relay publishes twice", async () => {
  await using outbox = world.outbox();
  const [eventId] = await append(outbox, "once");
  await eventually(allPublished);
  const again = await jetstream(world.admin).publish("things.v1.Happened", "", { msgID: eventId ?? "" });
  expect(again.duplicate).toBe(true);
});
