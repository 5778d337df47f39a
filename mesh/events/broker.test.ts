import { Code } from "@connectrpc/connect";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startNats, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { type BrokerOptions, createBroker } from "./broker.ts";
import { streams } from "./testing-events.ts";

let nats: TestEngine;
const telemetry = createTelemetry({ service: "test", write: () => {} });
beforeAll(async () => {
  nats = await startNats();
});
afterAll(async () => {
  await nats?.[Symbol.asyncDispose]();
  await telemetry[Symbol.asyncDispose]();
});

const open = (options: Partial<BrokerOptions> = {}) =>
  createBroker({ url: nats.url, service: "test", telemetry, ...streams, ...options });
const soon = () => AbortSignal.timeout(5_000);
const message = (id: string) => ({ subject: "things.v1.Happened", id, headers: {}, data: new Uint8Array([1]) });

test("several brokers that start at once make the streams, bounded and on disk", async () => {
  await using _first = open();
  await using _second = open();
  const sessions = await Promise.all([_first.session(soon()), _second.session(soon())]);
  const { config } = (await sessions[0].manager.streams.info("EVENTS")) ?? {};
  expect(config).toMatchObject({
    subjects: ["things.>"],
    storage: "file",
    discard: "old",
    max_bytes: 1024 ** 3,
    max_age: 7 * 86_400e9,
    duplicate_window: 120e9,
  });
  expect((await sessions[1].manager.streams.info("DEAD_LETTERS")).config).toMatchObject({ discard: "new" });
});

test("a stream with other limits is changed, and keeps what is in it", async () => {
  {
    await using broker = open();
    await (await broker.session(soon())).publish(message("kept"));
  }
  await using broker = open({ events: { ...streams.events, maxBytes: 1024 ** 2 } });
  const { config, state } = await (await broker.session(soon())).manager.streams.info("EVENTS");
  expect([config.max_bytes, state.messages]).toEqual([1024 ** 2, 1]);
});

test("session() gives up when its caller does, or the broker is disposed of; neither hangs", async () => {
  const broker = open({ url: "nats://127.0.0.1:1" });
  await expect(broker.session(AbortSignal.timeout(50))).rejects.toMatchObject({ code: Code.Unavailable });
  const waiting = broker.session(new AbortController().signal);
  await Promise.all([expect(waiting).rejects.toMatchObject({ code: Code.Unavailable }), broker[Symbol.asyncDispose]()]);
});

test("a publication in flight when the connection is lost rejects at once", async () => {
  await using broker = open();
  const session = await broker.session(soon());
  nats.kill("SIGSTOP");
  const publishing = session.publish(message("in flight"));
  const startedMs = performance.now();
  nats.kill("SIGKILL");
  await expect(publishing).rejects.toMatchObject({ code: Code.Unavailable });
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  await nats.stop();
  await nats.start();
  const next = await broker.session(soon());
  expect([next === session, session.lost.aborted, next.lost.aborted]).toEqual([false, true, false]);
  await next.publish(message("after"));
});

test("disposing sends what was written and leaves no connection", async () => {
  const broker = open({ service: "leaving" });
  const { jetstream } = await broker.session(soon());
  const publishing = jetstream.publish("things.v1.Happened", "last words");
  await broker[Symbol.asyncDispose]();
  await publishing.catch(() => {});
  const admin = await connect({ servers: nats.url });
  const manager = await jetstreamManager(admin);
  const last = await manager.streams.getMessage("EVENTS", { last_by_subj: "things.v1.Happened" });
  expect(last?.string()).toBe("last words");
  await admin.close();
});
