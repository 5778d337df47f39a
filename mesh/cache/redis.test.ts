import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { startRedis, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { eventually } from "../data/testing.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { createRedis } from "./redis.ts";

let server: TestEngine;
const lines: string[] = [];
const telemetry = createTelemetry({ service: "test", write: (line) => lines.push(line) });
const open = (url = server.url) => createRedis({ url, telemetry });
const away = { code: Code.Unavailable };
const timed = async (work: Promise<unknown>) => {
  const startedMs = performance.now();
  await expect(work).rejects.toMatchObject(away);
  return performance.now() - startedMs;
};

beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await telemetry[Symbol.asyncDispose]();
});

test("commands answer, and a wrong one fails with Redis' own words", async () => {
  await using redis = open();
  await eventually(() => redis.isReady());
  expect(await redis.run("test.incr", (commands) => commands.incr("n"))).toBe(1);
  await redis.run("test.set", (commands) => commands.set("text", "x"));
  await expect(redis.run("test.incr", (commands) => commands.incr("text"))).rejects.toThrow(/not an integer/);
});

test("a Redis that never was: creating it does not wait, commands fail at once, disposing does not hang", async () => {
  await using redis = open(`redis://127.0.0.1:${await freePort()}`);
  expect(redis.isReady()).toBe(false);
  expect(await timed(redis.run("test.get", (commands) => commands.get("x")))).toBeLessThan(100);
});

test("a killed Redis fails what is under way, then at once; it is found again, and said once each", async () => {
  await using redis = open();
  await eventually(() => redis.isReady());
  lines.length = 0;
  server.kill("SIGKILL");
  await eventually(() => !redis.isReady());
  for (let index = 0; index < 20; index += 1) {
    expect(await timed(redis.run("test.get", (commands) => commands.get("x")))).toBeLessThan(100);
  }
  await server.stop();
  await server.start();
  await eventually(() => redis.isReady());
  expect(await redis.run("test.get", (commands) => commands.get("x"))).toBeNull();
  expect(lines.map((line) => JSON.parse(line).message)).toEqual(["redis is away", "redis is back"]);
});

test("a frozen Redis costs a few timeouts, then nothing; an INCR that timed out is not sent again", async () => {
  await using redis = open();
  await eventually(() => redis.isReady());
  await redis.run("test.del", (commands) => commands.del("n"));
  server.kill("SIGSTOP");
  const first = await Promise.all(
    Array.from({ length: 5 }, () => timed(redis.run("test.incr", (commands) => commands.incr("n")))),
  );
  for (const durationMs of first) expect(durationMs).toBeLessThan(400);
  expect(await timed(redis.run("test.get", (commands) => commands.get("n")))).toBeLessThan(100);
  server.kill("SIGCONT");
  let count: number | undefined;
  await eventually(async () => {
    count = await redis.run("test.get", async (commands) => Number(await commands.get("n"))).catch(() => undefined);
    return count !== undefined;
  });
  expect(count).toBeLessThanOrEqual(5);
});

test("more commands than inFlightMax fail at once instead of waiting", async () => {
  await using redis = createRedis({ url: server.url, telemetry, inFlightMax: 10 });
  await eventually(() => redis.isReady());
  const results = await Promise.allSettled(
    Array.from({ length: 30 }, () => redis.run("test.get", (commands) => commands.get("n"))),
  );
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
});
