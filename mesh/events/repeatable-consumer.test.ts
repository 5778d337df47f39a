import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { rpcError } from "../contract/errors.ts";
import type { DirectPublisher } from "./direct-publisher.ts";
import { onRepeatableEvent } from "./handler.ts";
import { type RepeatableConsumerOptions, startRepeatableConsumer } from "./repeatable-consumer.ts";
import { eventually, startWorld, type World } from "./testing.ts";
import { Happened, streams } from "./testing-events.ts";

let world: World;
let publisher: DirectPublisher;
beforeAll(async () => {
  world = await startWorld();
  await world.broker.session(AbortSignal.timeout(5_000));
  publisher = world.publisher();
});
afterAll(() => world?.[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.manager.consumers.delete(streams.events.name, "test").catch(() => {});
  await world.manager.streams.purge(streams.events.name);
  await world.manager.streams.purge(streams.deadLetters.name);
});

const start = (handle: (text: string) => void | Promise<void>, options: Partial<RepeatableConsumerOptions> = {}) =>
  startRepeatableConsumer({
    ...{ service: "test", broker: world.broker, telemetry: world.telemetry, ackWaitMs: 1_500 },
    handlers: [onRepeatableEvent(Happened, ({ text }) => handle(text))],
    ...options,
  });
const say = (text: string) => publisher.publish(Happened, { thingId: "thing-1", text });

test("events that came while the service was away are handled when it is back", async () => {
  const seen: string[] = [];
  {
    await using _ = start((text) => void seen.push(text));
    say("one");
    await eventually(() => seen.length === 1);
  }
  say("two");
  await using _ = start((text) => void seen.push(text));
  await eventually(async () => seen.length >= 2 && (await world.settled()));
  expect(seen).toEqual(["one", "two"]);
});

test("two instances share the work", async () => {
  const seen: string[] = [];
  await using _first = start((text) => void seen.push(text));
  await using _second = start((text) => void seen.push(text));
  for (let index = 0; index < 20; index += 1) say(`${index}`);
  await eventually(async () => seen.length >= 20 && (await world.settled()));
  expect(seen).toHaveLength(20);
});

test("as long as what it writes to is away an event is tried again, and does not count as failed", async () => {
  let attempts = 0;
  await using _ = start(
    () => {
      attempts += 1;
      if (attempts < 4) throw rpcError(Code.Unavailable, "away");
    },
    { maxDeliveries: 1 },
  );
  say("one");
  await eventually(async () => attempts >= 4 && (await world.settled()));
  expect([attempts, await world.deadLetters()]).toEqual([4, []]);
});

test("a poisonous event is a dead letter in the end, and the others pass", async () => {
  const seen: string[] = [];
  await using _ = start(
    (text) => {
      if (text === "bad") throw new Error("no");
      seen.push(text);
    },
    { maxDeliveries: 2 },
  );
  say("bad");
  say("good");
  await eventually(async () => (await world.deadLetters()).length === 1);
  expect(seen).toEqual(["good"]);
});
