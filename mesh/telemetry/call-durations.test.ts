import { createServer } from "node:http";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { listen } from "../contract/listen.ts";
import { createDurationHistogram } from "./duration-histogram.ts";
import { createTelemetry, type Telemetry } from "./telemetry.ts";

const attributes = { "rpc.system.name": "grpc", "rpc.method": "shop.order.v1.OrderService/PlaceOrder" };
const durationsMs = [0, 0.2, 0.5, 0.51, 1, 7, 99.9, 2_500, 10_000, 10_001, 60_000];

async function scrape(telemetry: Telemetry): Promise<string[]> {
  const server = createServer();
  const port = await listen(server, { host: "127.0.0.1", port: 0 }, "PORT");
  await new Promise((resolve) => server.close(resolve));
  await using _metrics = await telemetry.serveMetrics({ host: "127.0.0.1", port });
  return (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).split("\n");
}

test("a scrape shows what OpenTelemetry's own histogram would, but for the last digits of a sum", async () => {
  await using telemetry = createTelemetry({ service: "order" });
  const ours = telemetry.callDurations("test.ours", "Calls", attributes);
  const theirs = createDurationHistogram(telemetry.meter, "test.theirs", "Calls");
  for (const ms of durationsMs) {
    ours.record(0, ms);
    theirs.record(ms / 1000, { ...attributes, "rpc.status_code": "OK" });
    ours.record(Code.NotFound, ms);
    theirs.record(ms / 1000, { ...attributes, "rpc.status_code": "NOT_FOUND" });
  }
  const lines = await scrape(telemetry);
  const rounded = (line: string): string => line.replace(/(?<=_sum\{.*\} )(.*)/, (sum) => Number(sum).toFixed(6));
  const of = (name: string): string[] =>
    lines
      .filter((line) => line.includes(`test_${name}`))
      .map((line) => rounded(line).replaceAll(`test_${name}`, "test"));
  expect(of("ours").length).toBeGreaterThan(2 * 17);
  expect(of("ours")).toEqual(of("theirs"));
});

test("whoever asks again has the same counters; a metric that has counted nothing is not shown", async () => {
  await using telemetry = createTelemetry({ service: "order" });
  const first = telemetry.callDurations("test.calls", "Calls", attributes);
  expect(telemetry.callDurations("test.calls", "Calls", { ...attributes })).toBe(first);
  expect((await scrape(telemetry)).some((line) => line.includes("test_calls"))).toBe(false);
});

test("a status that gRPC does not know counts as UNKNOWN", async () => {
  await using telemetry = createTelemetry({ service: "order" });
  const durations = telemetry.callDurations("test.calls", "Calls", {});
  durations.record(99 as Code, 1);
  durations.record(Code.Unknown, 1);
  expect(await scrape(telemetry)).toContain('test_calls_count{rpc_status_code="UNKNOWN"} 2');
});
