import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import { jetstream } from "@nats-io/jetstream";
import { headers } from "nats";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorReason } from "../contract/errors.ts";
import { failure } from "../testing/outcome.ts";
import type { Consumer } from "./consumer.ts";
import { encodeEvent } from "./envelope.ts";
import { onEvent, onRepeatableEvent } from "./handler.ts";
import { startRepeatableConsumer } from "./repeatable-consumer.ts";
import { eventually, startWorld, type World } from "./testing.ts";
import { Ended, Happened, streams } from "./testing-events.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
  await world.broker.session(AbortSignal.timeout(5_000));
});
afterEach(() => world?.[Symbol.asyncDispose]());

const texts = (count: number, word = "poison") => Array.from({ length: count }, (_, index) => `${word} ${index}`);
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async function publish(all: readonly string[], schema = Happened): Promise<void> {
  for (const text of all) {
    const facts = { eventId: text.replaceAll(" ", "-"), version: 1n, occurredAtMs: 1_700_000_000_000 };
    const { subject, bytes } = encodeEvent(schema, { thingId: "thing-1", text }, facts);
    const hdrs = headers();
    hdrs.set("traceparent", traceparent);
    await jetstream(world.admin).publish(subject, bytes, { msgID: facts.eventId, headers: hdrs });
  }
}

/** A consumer that cannot stand events with a poisonous text, and lets go of them at once. */
function poisoned() {
  const handler = onEvent(Happened, async (tx, { text }) => {
    await tx.execute("test.effect", "INSERT INTO effects (text) VALUES (?)", [text]);
    if (text.startsWith("poison")) throw new Error(`cannot stand ${text}`);
  });
  return world.consumer({ handlers: [handler], maxDeliveries: 1 });
}

/** The same service after these events were given up, with a handler that stands them. */
async function fixed(all: readonly string[]): Promise<Consumer> {
  const broken = poisoned();
  await publish(all);
  const poison = all.filter((text) => text.startsWith("poison")).length;
  await eventually(async () => (await world.stored(streams.deadLetters.name)) === poison && (await world.settled()));
  await broken[Symbol.asyncDispose]();
  return world.consumer();
}

/** All that there is: tables and streams. */
async function checksum(): Promise<unknown> {
  const tables = await world.database.query("test.checksum", "CHECKSUM TABLE effects, weft_inbox, weft_outbox");
  const states = await Promise.all(
    [streams.events.name, streams.deadLetters.name].map(async (name) => (await world.manager.streams.info(name)).state),
  );
  return [tables, states];
}

const idsOf = async ({ deadLetters }: Consumer) =>
  (await deadLetters.list({ filter: {}, limit: 500 })).letters.map(({ letterId }) => letterId);

test("100 poisonous events, the fix, a dry run that changes nothing, and each comes back exactly once", async () => {
  const consumer = await fixed([...texts(50, "fine"), ...texts(100)]);
  const { deadLetters } = consumer;
  const ids = await idsOf(consumer);
  expect(ids).toHaveLength(100);
  expect(await deadLetters.usage()).toMatchObject({ total: 100, streamBytesMax: streams.deadLetters.maxBytes });

  const before = await checksum();
  for (const id of ids) {
    expect(await deadLetters.redrive(id, { dryRun: true })).toMatchObject({ outcome: "handled", kept: true });
  }
  expect(await checksum()).toEqual(before);

  for (const id of ids) {
    expect(await deadLetters.redrive(id, { dryRun: false })).toMatchObject({ outcome: "handled", kept: false });
  }
  expect((await world.effects()).toSorted()).toEqual([...texts(50, "fine"), ...texts(100)].toSorted());
  expect(await deadLetters.usage()).toMatchObject({ total: 0 });
  // Gone, and gone for good.
  for (const dryRun of [true, false]) expect(await deadLetters.redrive(ids[0] ?? 0n, { dryRun })).toBeUndefined();
  expect(await deadLetters.discard(ids[0] ?? 0n)).toBe(false);
});

test("operators who redrive the same letters at once: the effect is there once, and each is told something true", async () => {
  const consumer = await fixed(texts(10));
  const other = world.consumer({ broker: world.newBroker() });
  const ids = await idsOf(consumer);
  const redriveAll = async ({ deadLetters }: Consumer) => {
    const outcomes = [];
    for (const id of ids) outcomes.push((await deadLetters.redrive(id, { dryRun: false }))?.outcome ?? "gone");
    return outcomes;
  };
  const [mine, theirs, dry] = await Promise.all([
    redriveAll(consumer),
    redriveAll(other),
    Promise.all(ids.slice(0, 2).map((id) => other.deadLetters.redrive(id, { dryRun: true }))),
  ]);
  expect((await world.effects()).toSorted()).toEqual(texts(10).toSorted());
  expect([...mine, ...theirs].filter((outcome) => outcome === "handled")).toHaveLength(10);
  for (const outcome of [...mine, ...theirs]) expect(["handled", "repeated", "gone"]).toContain(outcome);
  expect(dry).toHaveLength(2);
  expect(await idsOf(consumer)).toEqual([]);
});

test("a process that dies after the effect and before the letter's removal: redriven again it is a repetition, and removed", async () => {
  const consumer = await fixed(texts(1));
  const [id = 0n] = await idsOf(consumer);
  await consumer[Symbol.asyncDispose]();
  const file = fileURLToPath(new URL("./testing-redrive.ts", import.meta.url));
  const child = spawn(process.execPath, [file, world.url, world.nats.url, String(id)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
  expect(await world.effects()).toEqual(["poison 0"]);

  const next = world.consumer();
  expect(await idsOf(next)).toEqual([id]);
  expect(await next.deadLetters.redrive(id, { dryRun: true })).toMatchObject({ outcome: "repeated", kept: true });
  expect(await next.deadLetters.redrive(id, { dryRun: false })).toMatchObject({ outcome: "repeated", kept: false });
  expect(await world.effects()).toEqual(["poison 0"]);
  expect(await idsOf(next)).toEqual([]);
});

test("a letter that fails again stays, with its effect undone, and says why; dry as well", async () => {
  await (await fixed(texts(2)))[Symbol.asyncDispose]();
  const consumer = poisoned();
  const ids = await idsOf(consumer);
  for (const dryRun of [true, false]) {
    expect(await consumer.deadLetters.redrive(ids[1] ?? 0n, { dryRun })).toEqual({
      ...{ letterId: ids[1], subject: "things.v1.Happened", outcome: "failed", kept: true },
      detail: "Error: cannot stand poison 1",
    });
  }
  expect(await world.effects()).toEqual([]);
  expect(await idsOf(consumer)).toEqual(ids);
});

test("only this service's handler gets it, in the trace of the change, and hooks of a dry run are not called", async () => {
  await (await fixed(texts(1)))[Symbol.asyncDispose]();
  const seen: (string | undefined)[] = [];
  let committed = 0;
  const handler = onEvent(Happened, async (tx) => {
    seen.push(world.telemetry.inject().traceparent?.split("-")[1]);
    tx.afterCommit(() => {
      committed += 1;
    });
  });
  const consumer = world.consumer({ handlers: [handler] });
  const before = await world.stored(streams.events.name);
  const [id = 0n] = await idsOf(consumer);
  await consumer.deadLetters.redrive(id, { dryRun: true });
  expect(committed).toBe(0);
  await consumer.deadLetters.redrive(id, { dryRun: false });
  expect([committed, seen]).toEqual([1, Array(2).fill(traceparent.split("-")[1])]);
  expect(await world.stored(streams.events.name)).toBe(before);
});

test("a handler that never returns is cut off, and the letter stays", async () => {
  await (await fixed(texts(1)))[Symbol.asyncDispose]();
  const stuck = onEvent(Happened, () => new Promise(() => {}));
  const consumer = world.consumer({ handlers: [stuck], handlerTimeoutMs: 200 });
  const [id = 0n] = await idsOf(consumer);
  const redriven = await consumer.deadLetters.redrive(id, { dryRun: false });
  expect(redriven).toMatchObject({ outcome: "failed", kept: true, detail: expect.stringContaining("deadline") });
});

test("of many letters at once a process redrives only so many", async () => {
  await (await fixed(texts(6)))[Symbol.asyncDispose]();
  const go = Promise.withResolvers<void>();
  const waiting = onEvent(Happened, () => go.promise);
  const consumer = world.consumer({ handlers: [waiting] });
  const redriving = (await idsOf(consumer)).map((id) => consumer.deadLetters.redrive(id, { dryRun: false }));
  const refused = (await Promise.all(redriving.slice(4).map(failure))).map((error) => [error.code, errorReason(error)]);
  expect(refused).toEqual(Array(2).fill([Code.ResourceExhausted, "TOO_MUCH_UNDER_WAY"]));
  go.resolve();
  expect(await Promise.all(redriving.slice(0, 4))).toMatchObject(Array(4).fill({ outcome: "handled" }));
});

describe("the list", () => {
  test("goes page after page, and finds by subject, time and cause", async () => {
    const both = [Happened, Ended].map((schema) =>
      onEvent(schema, async (_tx, { text }) => {
        throw new Error(`cannot stand ${text}`);
      }),
    );
    const { deadLetters } = world.consumer({ handlers: both, maxDeliveries: 1 });
    await publish(texts(5));
    await publish(["poison end"], Ended);
    await eventually(async () => (await world.stored(streams.deadLetters.name)) === 6);
    const causes = async (filter: object, limit = 100) =>
      (await deadLetters.list({ filter, limit })).letters.map(({ cause }) => cause.replace("Error: cannot stand ", ""));

    expect((await causes({})).toSorted()).toEqual([...texts(5), "poison end"].toSorted());
    expect(await causes({ subject: "things.v1.Ended" })).toEqual(["poison end"]);
    expect(await causes({ subject: "things.>" })).toHaveLength(6);
    expect(await causes({ subject: "things.v1.Nothing" })).toEqual([]);
    expect(await causes({ cause: "STAND POISON 3" })).toEqual(["poison 3"]);
    expect(await causes({ since: new Date(Date.now() + 60_000) })).toEqual([]);
    expect(await causes({ since: new Date(Date.now() - 60_000) })).toHaveLength(6);

    const pages: bigint[][] = [];
    for (let afterId: bigint | undefined; pages.length < 9; ) {
      const { letters, next } = await deadLetters.list({ filter: {}, afterId, limit: 2 });
      pages.push(letters.map(({ letterId }) => letterId));
      if (next === undefined) break;
      afterId = next;
    }
    expect(pages.map((page) => page.length)).toEqual([2, 2, 2]);
    expect(new Set(pages.flat()).size).toBe(6);
  });

  test("has what an operator needs to know, and nothing of other services", async () => {
    const consumer = await fixed(texts(1));
    const other = world.consumer({ service: "other" });
    expect((await consumer.deadLetters.list({ filter: {}, limit: 9 })).letters).toEqual([
      {
        letterId: 1n,
        givenUpAt: expect.any(Date),
        subject: "things.v1.Happened",
        eventId: "poison-0",
        cause: "Error: cannot stand poison 0",
        deliveries: 1,
        traceId: "0af7651916cd43dd8448eb211c80319c",
      },
    ]);
    expect(await other.deadLetters.list({ filter: {}, limit: 9 })).toEqual({ letters: [], next: undefined });
    expect(await other.deadLetters.get(1n)).toBeUndefined();
    expect(await other.deadLetters.discard(1n)).toBe(false);
    expect(await other.deadLetters.usage()).toMatchObject({ total: 0 });
  });
});

describe("one letter", () => {
  test("is shown decoded", async () => {
    const { deadLetters } = await fixed(texts(1));
    const opened = await deadLetters.get(1n);
    expect(opened).toMatchObject({
      letter: { letterId: 1n, eventId: "poison-0" },
      envelope: { eventType: "things.v1.Happened", aggregateId: "thing-1", aggregateVersion: 1n },
      headers: {
        "Weft-Consumer": "test",
        "Weft-Deliveries": "1",
        traceparent: expect.stringContaining("0af7651916cd43dd"),
      },
    });
    expect(JSON.parse(opened && "json" in opened.body ? opened.body.json : "")).toEqual({
      thingId: "thing-1",
      text: "poison 0",
    });
  });

  test("that nobody can read is shown in hexadecimal, with the reason; redriven it fails, discarded it is gone", async () => {
    const { deadLetters } = world.consumer();
    await jetstream(world.admin).publish("things.v1.Happened", new Uint8Array([255, 254, 253]));
    await eventually(async () => (await world.stored(streams.deadLetters.name)) === 1);
    const opened = await deadLetters.get(1n);
    expect(opened).toMatchObject({ envelope: undefined, body: { hex: "fffefd", problem: expect.any(String) } });
    for (const dryRun of [true, false]) {
      expect(await deadLetters.redrive(1n, { dryRun })).toMatchObject({ outcome: "failed", kept: true });
    }
    expect(await Promise.all([deadLetters.discard(1n), deadLetters.discard(1n)])).toContain(true);
    expect(await deadLetters.get(1n)).toBeUndefined();
  });

  test("of a kind that the service handles no more says so", async () => {
    await (await fixed(texts(1)))[Symbol.asyncDispose]();
    const { deadLetters } = world.consumer({ handlers: [onEvent(Ended, async () => {})] });
    expect(await deadLetters.get(1n)).toMatchObject({
      envelope: { eventType: "things.v1.Happened" },
      body: { problem: expect.stringContaining("no handler") },
    });
    expect(await deadLetters.redrive(1n, { dryRun: false })).toMatchObject({ outcome: "failed", kept: true });
  });

  test.each([0n, 99n, 2n ** 63n])("%i is not there", async (id) => {
    const { deadLetters } = world.consumer();
    expect(await deadLetters.get(id)).toBeUndefined();
  });
});

test("a repeatable consumer's dry run only decodes; redriven, its handler is called", async () => {
  const handled: string[] = [];
  let broken = true;
  const handler = onRepeatableEvent(Happened, ({ text }) => {
    if (broken) throw new Error("broken");
    handled.push(text);
  });
  const { broker, telemetry } = world;
  const options = { service: "cart", broker, telemetry, handlers: [handler], maxDeliveries: 1 };
  await using consumer = startRepeatableConsumer(options);
  await publish(texts(1));
  await eventually(async () => (await world.stored(streams.deadLetters.name)) === 1);
  broken = false;
  const { deadLetters } = consumer;
  expect(await deadLetters.redrive(1n, { dryRun: true })).toMatchObject({ outcome: "decoded", kept: true });
  expect(handled).toEqual([]);
  expect(await deadLetters.redrive(1n, { dryRun: false })).toMatchObject({ outcome: "handled", kept: false });
  expect(handled).toEqual(["poison 0"]);
});

test("without the broker each question is UNAVAILABLE, soon", async () => {
  const { deadLetters } = await fixed(texts(1));
  world.nats.kill("SIGKILL");
  await world.nats.stop();
  for (const ask of [
    () => deadLetters.list({ filter: {}, limit: 1 }),
    () => deadLetters.redrive(1n, { dryRun: false }),
  ]) {
    const error = await failure(ask());
    expect([error.code, errorReason(error)]).toEqual([Code.Unavailable, "BROKER_UNAVAILABLE"]);
  }
});

test("a full stream of dead letters refuses: the event stays, and an error says so", async () => {
  const small = { ...streams.deadLetters, maxBytes: 1_024 };
  const broker = world.newBroker(world.nats.url, { ...streams, deadLetters: small });
  const broken = onEvent(Happened, async () => {
    throw new Error(`too long ${"x".repeat(600)}`);
  });
  const consumer = world.consumer({ handlers: [broken], maxDeliveries: 1, broker });
  await publish(texts(2));
  const isTold = () => world.lines.some((line) => line.includes("stream of dead letters is full"));
  await eventually(isTold);
  expect(await world.settled()).toBe(false);
  expect(await consumer.deadLetters.usage()).toMatchObject({ total: 1 });
});
