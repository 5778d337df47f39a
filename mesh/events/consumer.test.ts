import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type JsMsg, jetstream } from "@nats-io/jetstream";
import { headers } from "nats";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startMariadb } from "../../tools/dev/testing/engines.ts";
import { currentCall } from "../context/call-context.ts";
import type { Database } from "../data/queryable.ts";
import { encodeEvent } from "./envelope.ts";
import { type EventMeta, onEvent, onEvents } from "./handler.ts";
import { eventually, startWorld, type World } from "./testing.ts";
import { Ended, Happened, streams } from "./testing-events.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
  await world.broker.session(AbortSignal.timeout(5_000));
});
afterEach(() => world?.[Symbol.asyncDispose]());

const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`);

/** Publishes events as a relay does; the event's id is its text, unless another message id is given to let a repetition through. */
async function publish(all: readonly string[], { msgID = "", schema = Happened } = {}): Promise<void> {
  const client = jetstream(world.admin);
  await Promise.all(
    all.map((text) => {
      const facts = { eventId: text.replaceAll(" ", "-"), version: 1n, occurredAtMs: 1_700_000_000_000 };
      const { subject, bytes } = encodeEvent(schema, { thingId: "thing-1", text }, facts);
      return client.publish(subject, bytes, { msgID: msgID || facts.eventId });
    }),
  );
}

/** Writes the effect of any event but the poisonous. */
const poisoned = (poison: string) =>
  onEvent(Happened, async (tx, { text }) => {
    await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
    if (text === poison) throw new Error(`cannot stand\n${text}`);
  });

test("an event appended here is handled there: message, meta, a deadline, and the trace of the call that made the change", async () => {
  const seen: { text: string; meta: EventMeta; traceId: string | undefined; deadlineMs: number | undefined }[] = [];
  const observed = onEvent(Happened, async (_tx, { text }, meta) => {
    const traceId = world.telemetry.inject().traceparent?.split("-")[1];
    seen.push({ text, meta, traceId, deadlineMs: currentCall()?.deadlineMs });
  });
  world.consumer({ handlers: [observed] });
  const outbox = world.outbox();
  const { traceId, eventId } = await world.telemetry.span("a call", {}, (span) =>
    world.database.transaction("test.append", async (tx) => ({
      eventId: await outbox.append(tx, Happened, { thingId: "thing-1", text: "hello" }, { version: 7n }),
      traceId: span.spanContext().traceId,
    })),
  );
  await eventually(() => seen.length === 1);
  expect(seen[0]).toMatchObject({
    text: "hello",
    traceId,
    meta: { eventId, aggregateId: "thing-1", aggregateVersion: 7n },
  });
  expect(seen[0]?.deadlineMs).toBeLessThan(Date.now() + 60_000);
  expect(Math.abs((seen[0]?.meta.occurredAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
});

test("many events are handled in batches, in order, each once", async () => {
  await publish(texts(500));
  world.consumer();
  await eventually(async () => (await world.effects()).length >= 500);
  expect(await world.effects()).toEqual(texts(500));
  await eventually(() => world.settled());
});

test("a consumer that gathers takes in one batch what comes within its time", async () => {
  const calls: number[] = [];
  const counted = onEvents([Happened], async (_, events) => {
    calls.push(events.length);
  });
  world.consumer({ handlers: counted, gatherMs: 1_000 });
  for (const text of texts(5)) await publish([text]);
  await eventually(() => world.settled());
  expect(calls).toEqual([5]);
});

test("events handled in one call have a span each, in the traces of the calls that made them", async () => {
  const started: string[] = [];
  const startSpan: World["telemetry"]["startSpan"] = (name, options) => {
    const span = world.telemetry.startSpan(name, options);
    started.push(`${name} ${span.spanContext().traceId}`);
    return span;
  };
  const telemetry = { ...world.telemetry, startSpan };
  world.consumer({ handlers: onEvents([Happened], async () => {}), gatherMs: 1_000, telemetry });
  const outbox = world.outbox();
  const call = (text: string) =>
    world.telemetry.span("a call", {}, async (span) => {
      await world.database.transaction("test.append", (tx) =>
        outbox.append(tx, Happened, { thingId: "thing-1", text }),
      );
      return span.spanContext().traceId;
    });
  const traceIds = [await call("one"), await call("two")];
  await eventually(() => world.settled());
  expect(started).toEqual(traceIds.map((traceId) => expect.stringContaining(traceId)));
});

test("onEvents() gets many events of several kinds in one call, in order; a poisonous one fails alone", async () => {
  const calls: string[][] = [];
  const many = onEvents([Happened, Ended], async (tx, events) => {
    calls.push(events.map(({ message }) => message.text));
    for (const { message, meta } of events) {
      expect(meta.eventId).toBe(message.text.replaceAll(" ", "-"));
      if (message.text === "poison") throw new Error("cannot stand it");
      await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [message.text]);
    }
  });
  await publish(texts(100));
  await publish(["end"], { schema: Ended });
  await publish(["poison"]);
  world.consumer({ handlers: many, batchSize: 102, maxDeliveries: 2 });
  await eventually(async () => (await world.deadLetters()).length === 1);
  await eventually(() => world.settled());
  expect((await world.effects()).toSorted()).toEqual([...texts(100), "end"].toSorted());
  expect(Math.max(...calls.map((call) => call.length))).toBeGreaterThan(10);
  expect(calls.filter((call) => call.includes("poison")).at(-1)).toEqual(["poison"]);
});

test("redelivery changes nothing, in a batch, in part of one, or alone", async () => {
  world.consumer();
  await publish(texts(10));
  await eventually(async () => (await world.effects()).length === 10);
  for (const round of texts(12)) await publish([round], { msgID: `again ${round}` });
  await eventually(() => world.settled());
  await publish(["text 1"], { msgID: "alone" });
  await eventually(() => world.settled());
  expect((await world.effects()).toSorted()).toEqual(texts(12).toSorted());
});

test("one poisonous event of a batch: the others pass, it ends among the dead letters with its cause", async () => {
  await publish([...texts(5), "poison", ...texts(10).slice(5)]);
  world.consumer({ handlers: [poisoned("poison")], maxDeliveries: 3 });
  await eventually(async () => (await world.deadLetters()).length === 1);
  expect((await world.effects()).toSorted()).toEqual(texts(10).toSorted());
  const [letter] = await world.deadLetters();
  expect(letter?.subject).toBe("dead.test.things.v1.Happened");
  const header = Object.fromEntries(
    ["Cause", "Consumer", "Deliveries", "Stream", "Stream-Sequence", "Event-Id"].map((name) => [
      name,
      letter?.header.get(`Weft-${name}`),
    ]),
  );
  expect(header).toEqual({
    Cause: "Error: cannot stand poison",
    Consumer: "test",
    Deliveries: "3",
    Stream: "EVENTS",
    "Stream-Sequence": "6",
    "Event-Id": "poison",
  });
  const original = await world.manager.streams.getMessage(streams.events.name, { seq: 6 });
  expect(letter?.data).toEqual(original?.data);
  await eventually(() => world.settled());
  expect(world.lines.filter((line) => line.includes("dead letter now"))).toHaveLength(1);
});

test("what cannot be read is a dead letter at once", async () => {
  const client = jetstream(world.admin);
  await client.publish("things.v1.Happened", new Uint8Array([255, 255, 255]));
  const { bytes } = encodeEvent(Ended, { thingId: "1" }, { eventId: "e", version: 0n, occurredAtMs: 0 });
  const hdrs = headers();
  hdrs.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  await client.publish("things.v1.Happened", bytes, { headers: hdrs });
  world.consumer();
  await eventually(async () => (await world.deadLetters()).length === 2);
  const [, foreign] = await world.deadLetters();
  expect(foreign?.header.get("Weft-Cause")).toContain("things.v1.Ended");
  expect(foreign?.header.get("traceparent")).toContain("0af7651916cd43dd8448eb211c80319c");
  await eventually(() => world.settled());
});

test("an event that no handler wants is acknowledged and has no effect", async () => {
  const other = onEvent(Ended, async () => {});
  await publish(["unwanted"], { schema: Ended });
  await publish(["wanted"]);
  world.consumer();
  world.consumer({ service: "both", handlers: [world.effect, other] });
  await eventually(() => world.settled("both"));
  expect(await world.manager.consumers.info(streams.events.name, "both")).toMatchObject({
    config: { filter_subject: "things.v1.>" },
  });
});

test("a handler that never returns is cut off, and does not stop the others", async () => {
  const stuck = onEvent(Happened, async (tx, { text }) => {
    if (text === "stuck") await new Promise(() => {});
    await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
  });
  await publish(["stuck", "other"]);
  world.consumer({ handlers: [stuck], handlerTimeoutMs: 200, maxDeliveries: 2 });
  await eventually(async () => (await world.deadLetters()).length === 1);
  expect(await world.effects()).toEqual(["other"]);
});

test("two instances share the work", async () => {
  const workers = new Set<string>();
  const handlerOf = (name: string) =>
    onEvent(Happened, async (tx, { text }) => {
      workers.add(name);
      await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
    });
  for (const name of ["a", "b"])
    world.consumer({ handlers: [handlerOf(name)], batchSize: 4, broker: world.newBroker() });
  await publish(texts(200));
  await eventually(async () => (await world.effects()).length >= 200 && (await world.settled()));
  expect((await world.effects()).toSorted()).toEqual(texts(200).toSorted());
  expect(workers.size).toBe(2);
});

test("disposing finishes what is in hand and gives the rest back at once", async () => {
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const slow = onEvent(Happened, async (tx, { text }) => {
    begun.resolve();
    await finish.promise;
    await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
  });
  await publish(texts(3));
  const consumer = world.consumer({ handlers: [slow], batchSize: 1, ackWaitMs: 60_000 });
  await begun.promise;
  const disposing = consumer[Symbol.asyncDispose]();
  finish.resolve();
  await disposing;
  expect(await world.effects()).toEqual(["text 0"]);
  world.consumer({ ackWaitMs: 60_000 });
  await eventually(async () => (await world.effects()).length === 3, 5_000);
});

test("a killed broker: everything appended meanwhile is handled once after it is back", async () => {
  world.consumer();
  const outbox = world.outbox();
  const append = (text: string) =>
    world.database.transaction("test.append", (tx) => outbox.append(tx, Happened, { thingId: "thing-1", text }));
  for (const text of texts(20)) await append(text);
  world.nats.kill("SIGKILL");
  await world.nats.stop();
  for (const text of texts(40).slice(20)) await append(text);
  await world.nats.start();
  await eventually(async () => (await world.effects()).length >= 40 && (await world.settled()));
  expect((await world.effects()).toSorted()).toEqual(texts(40).toSorted());
});

test("a consumer that somebody has deleted is made again, and what it delivers again changes nothing", async () => {
  world.consumer();
  await publish(texts(150));
  await eventually(async () => (await world.effects()).length === 150 && (await world.settled()));
  await world.manager.consumers.delete(streams.events.name, "test");
  await publish(["after"]);
  await eventually(async () => (await world.effects()).includes("after"));
  await eventually(() => world.settled());
  expect(await world.effects()).toEqual([...texts(150), "after"]);
});

test("an event whose processes all died is a dead letter after maxDeliveries, unless it had its effect", async () => {
  const consumer = world.consumer();
  await publish(["done"]);
  await eventually(async () => (await world.effects()).length === 1 && (await world.settled()));
  await consumer[Symbol.asyncDispose]();
  // An answer on its connection: the server has heard that it asks for no more, and counts no delivery to it.
  await (await world.broker.session(AbortSignal.timeout(5_000))).manager.getAccountInfo();
  await publish(["deadly"]);
  await publish(["done"], { msgID: "done again" });
  // Delivered twice, to processes of which nothing was heard again.
  const handle = await jetstream(world.admin).consumers.get(streams.events.name, "test");
  for (let delivery = 1; delivery <= 2; delivery += 1) {
    const messages: JsMsg[] = [];
    // All before any is put back: it could come again before the other has come.
    for await (const message of await handle.fetch({ max_messages: 2, expires: 5_000 })) messages.push(message);
    for (const message of messages) message.nak();
  }
  world.consumer({ maxDeliveries: 2 });
  await eventually(async () => (await world.deadLetters()).length === 1);
  await eventually(() => world.settled());
  const [letter] = await world.deadLetters();
  expect(letter?.header.get("Weft-Event-Id")).toBe("deadly");
  expect(letter?.header.get("Weft-Cause")).toContain("no outcome after 2 deliveries");
  expect(await world.effects()).toEqual(["done"]);
});

test.each(["before-commit", "after-commit"])("kill -9 %s: the effect is there once", async (when) => {
  await publish(["deadly"]);
  const child = startChild(world.url, world.nats.url, when);
  expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
  expect(await world.effects()).toEqual(when === "after-commit" ? ["deadly"] : []);
  expect(await world.settled()).toBe(false);
  world.consumer();
  await eventually(() => world.settled());
  expect(await world.effects()).toEqual(["deadly"]);
  expect(await world.deadLetters()).toEqual([]);
});

test("a database that is away costs no event its deliveries", async () => {
  await using mariadb = await startMariadb();
  await using own = world.open({ url: new URL("/shop", mariadb.url).href, acquireTimeoutMs: 500 });
  await using setUp = world.open({ url: mariadb.url });
  await setUp.execute("test.createSchema", "CREATE DATABASE shop");
  await own.execute("test.create", "CREATE TABLE effects (text VARCHAR(100) PRIMARY KEY)");
  const inbox = await world.database.query<Record<string, string>>("test.show", "SHOW CREATE TABLE weft_inbox");
  await own.execute("test.createInbox", inbox[0]?.["Create Table"] ?? "");
  let attempts = 0;
  const counted: Database = {
    ...own,
    transaction: (name, fn) => {
      attempts += 1;
      return own.transaction(name, fn);
    },
  };
  world.consumer({ database: counted, maxDeliveries: 2, ackWaitMs: 600 });
  mariadb.kill("SIGKILL");
  await mariadb.stop();
  await publish(texts(5));
  // Longer than the server takes to deliver them more often than allowed.
  await eventually(() => attempts >= 6);
  await mariadb.start();
  await eventually(() => world.settled());
  const rows = await own.query("test.effects", "SELECT text FROM effects ORDER BY text");
  expect(rows).toHaveLength(5);
  expect(await world.deadLetters()).toEqual([]);
  expect(world.lines.filter((line) => line.includes("consumer cannot work"))).toHaveLength(1);
});

test("a connection that is lost under a handler costs its event no delivery", async () => {
  let attempts = 0;
  const unlucky = onEvent(Happened, async (tx, { text }) => {
    attempts += 1;
    if (attempts <= 3) {
      const [row] = await tx.query<{ id: string }>("test.connection", "SELECT CONNECTION_ID() AS id");
      await world.database.execute("test.kill", `KILL CONNECTION ${Number(row?.id)}`);
    }
    await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
  });
  await publish(["unlucky"]);
  world.consumer({ handlers: [unlucky], maxDeliveries: 1 });
  await eventually(() => world.settled());
  expect(await world.effects()).toEqual(["unlucky"]);
  expect([attempts, await world.deadLetters()]).toEqual([4, []]);
});

test.each([
  [1, "nor is one that waits behind it"],
  [2, "nor is one of the same batch"],
])("an event that takes longer than ackWaitMs is not delivered again, %i a batch: %s", async (batchSize) => {
  const slow = onEvent(Happened, async (tx, { text }) => {
    if (text === "slow") await pause(1_500);
    await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
  });
  await publish(["slow", "behind"]);
  world.consumer({ handlers: [slow], batchSize, ackWaitMs: 500 });
  await eventually(() => world.settled());
  expect(await world.effects()).toEqual(["slow", "behind"]);
  const { delivered } = await world.manager.consumers.info(streams.events.name, "test");
  // Deliveries, repeated ones counted.
  expect(delivered.consumer_seq).toBe(2);
});

function startChild(...args: string[]): ChildProcess {
  const file = fileURLToPath(new URL("./testing-consumer.ts", import.meta.url));
  return spawn(process.execPath, [file, ...args], { stdio: ["ignore", "ignore", "inherit"] });
}
