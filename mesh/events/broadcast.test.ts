import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Broadcast, type BroadcastOptions, startBroadcast } from "./broadcast.ts";
import type { DirectPublisher } from "./direct-publisher.ts";
import { onRepeatableEvent } from "./handler.ts";
import { eventually, startWorld, type World } from "./testing.ts";
import { Ended, Happened, streams } from "./testing-events.ts";

let world: World;
let publisher: DirectPublisher;
const open: Broadcast[] = [];
beforeAll(async () => {
  world = await startWorld();
  await world.broker.session(AbortSignal.timeout(5_000));
  publisher = world.publisher();
});
afterAll(() => world?.[Symbol.asyncDispose]());
afterEach(async () => {
  for (const broadcast of open.splice(0)) await broadcast[Symbol.asyncDispose]();
});

/** A process that listens: what it has heard, and how often it may have missed something. */
function listener(options: Partial<BroadcastOptions> = {}) {
  const heard: string[] = [];
  const state = { heard, gaps: 0 };
  const handlers = [onRepeatableEvent(Happened, ({ text }) => void heard.push(text))];
  const onGap = () => {
    state.gaps += 1;
  };
  const broadcast = startBroadcast({
    broker: world.newBroker(),
    telemetry: world.telemetry,
    handlers,
    onGap,
    ...options,
  });
  open.push(broadcast);
  return Object.assign(state, { broadcast });
}
const say = (...all: string[]) => {
  for (const text of all) publisher.publish(Happened, { thingId: "thing-1", text });
};
const texts = (count: number) => Array.from({ length: count }, (_, index) => `text ${index}`);

test("every process hears every event from its start on, in order, within a second", async () => {
  say("before");
  await eventually(async () => (await world.stored(streams.events.name)) > 0);
  const all = [listener(), listener(), listener()];
  await eventually(() => all.every(({ broadcast }) => broadcast.isCurrent()));
  const startedMs = performance.now();
  say("one");
  await eventually(() => all.every(({ heard }) => heard.length === 1));
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  say(...texts(600));
  await eventually(() => all.every(({ heard }) => heard.length === 601));
  for (const { heard, gaps } of all) expect([heard, gaps]).toEqual([["one", ...texts(600)], 1]);
});

test("a handler that fails is passed over", async () => {
  const heard: string[] = [];
  const failing = onRepeatableEvent(Happened, ({ text }) => {
    if (text === "bad") throw new Error("no");
    heard.push(text);
  });
  const { broadcast } = listener({ handlers: [failing, onRepeatableEvent(Ended, () => {})] });
  await eventually(() => broadcast.isCurrent());
  say("good", "bad", "better");
  await eventually(() => heard.length === 2);
  expect(heard).toEqual(["good", "better"]);
});

// Before the server is killed: nats-server 2.9 may lose the files of a stream that it has recovered and that is made anew at once.
test("a stream that was made anew is a gap, and is heard from then on", async () => {
  const all = listener();
  await eventually(() => all.broadcast.isCurrent());
  say("one");
  await eventually(() => all.heard.length === 1);
  await world.manager.streams.delete(streams.events.name);
  await eventually(() => all.gaps === 2);
  await eventually(() => all.broadcast.isCurrent());
  say("two");
  await eventually(() => all.heard.includes("two"));
});

test("after a killed broker it goes on where it was, without a gap, and says meanwhile that it is not current", async () => {
  const all = listener();
  await eventually(() => all.broadcast.isCurrent());
  say("one");
  await eventually(() => all.heard.length === 1);
  world.nats.kill("SIGKILL");
  await eventually(() => !all.broadcast.isCurrent());
  say("two");
  await world.nats.stop();
  await world.nats.start();
  await eventually(() => all.heard.length === 2);
  await eventually(() => all.broadcast.isCurrent());
  expect([all.heard, all.gaps]).toEqual([["one", "two"], 1]);
});

test("disposing leaves no listener on the server", async () => {
  const { broadcast } = listener();
  await eventually(() => broadcast.isCurrent());
  await broadcast[Symbol.asyncDispose]();
  expect((await world.manager.streams.info(streams.events.name)).state.consumer_count).toBe(0);
});
