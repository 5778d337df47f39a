import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { EventEnvelopeSchema } from "../gen/weft/v1/event_pb.ts";
import { eventually, startWorld, type World } from "./testing.ts";
import { Foreign, Happened, NoEvent, streams } from "./testing-events.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await world.broker.session(AbortSignal.timeout(5_000));
});
afterAll(() => world?.[Symbol.asyncDispose]());
beforeEach(async () => {
  await world.manager.streams.purge(streams.events.name);
});

const happened = (text = "hello") => [Happened, { thingId: "thing-1", text }] as const;
const stored = () => world.stored(streams.events.name);
const dropped = () => world.lines.filter((line) => line.includes("an event cannot be published")).length;

test("an event is published with envelope, message id and the trace of its call", async () => {
  const publisher = world.publisher();
  const traceId = await world.telemetry.span("a call", {}, async (span) => {
    publisher.publish(...happened());
    return span.spanContext().traceId;
  });
  await eventually(async () => (await stored()) === 1);
  const message = await world.manager.streams.getMessage(streams.events.name, { last_by_subj: "things.v1.Happened" });
  const envelope = fromBinary(EventEnvelopeSchema, message?.data ?? new Uint8Array());
  expect(envelope).toMatchObject({ type: "things.v1.Happened", aggregateId: "thing-1" });
  expect(envelope.aggregateVersion).toBe(0n);
  expect(message?.header.get("Nats-Msg-Id")).toBe(envelope.eventId);
  expect(message?.header.get("traceparent").split("-")[1]).toBe(traceId);
});

test("what is wrong or has no stream costs its caller nothing, and the others pass", async () => {
  const publisher = world.publisher();
  const before = dropped();
  publisher.publish(NoEvent, { thingId: "thing-1" });
  publisher.publish(Happened, { text: "no key" });
  expect(dropped() - before).toBe(2);
  publisher.publish(Foreign, { thingId: "thing-1" });
  publisher.publish(...happened());
  await eventually(async () => (await stored()) === 1);
});

test("while the broker is away events wait, as many as there is room for", async () => {
  const publisher = world.publisher({ queueLengthMax: 20 });
  world.nats.kill("SIGKILL");
  await eventually(() => !world.broker.isConnected());
  const startedMs = performance.now();
  for (let index = 0; index < 50; index += 1) publisher.publish(...happened(`${index}`));
  expect(performance.now() - startedMs).toBeLessThan(50);
  await world.nats.stop();
  await world.nats.start();
  await eventually(async () => (await stored().catch(() => 0)) === 20);
});

test("disposing publishes what still waits, and does not hang on a broker that never came", async () => {
  const publisher = world.publisher();
  for (let index = 0; index < 300; index += 1) publisher.publish(...happened(`${index}`));
  await publisher[Symbol.asyncDispose]();
  publisher.publish(...happened("too late"));
  expect(await stored()).toBe(300);

  const broker = world.newBroker(`nats://127.0.0.1:${await freePort()}`);
  const hopeless = world.publisher({ broker });
  hopeless.publish(...happened());
  const startedMs = performance.now();
  await hopeless[Symbol.asyncDispose]();
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
