import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "../contract/clock.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createDnsDiscovery, type DnsDiscoveryOptions } from "./dns.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

/** A discovery whose DNS answers what `answer.addresses` holds, or fails with it. */
function start(options: Partial<DnsDiscoveryOptions> = {}) {
  const lines: string[] = [];
  const answer: { addresses: string[] | Error; asked: number } = { addresses: ["10.0.0.1"], asked: 0 };
  const logger = createLogger({
    service: "test",
    level: "info",
    clock: systemClock,
    write: (line) => lines.push(line),
  });
  const lookup = async () => {
    answer.asked += 1;
    if (answer.addresses instanceof Error) throw answer.addresses;
    return answer.addresses;
  };
  const names = new Map([["catalog", { host: "catalog", port: 7100 }]]);
  const discovery = createDnsDiscovery({ names, logger, lookup, refreshIntervalMs: 5, ...options });
  open.push(discovery);
  const heard: string[][] = [];
  const watch = (service = "catalog") =>
    discovery.watch(service, (instances) => heard.push(instances.map(({ address }) => address)));
  return { discovery, answer, heard, lines, watch };
}

test("each address of a name is an instance, and what changes is heard of in time", async () => {
  const { answer, heard, watch } = start();
  answer.addresses = ["10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.2"];
  watch();
  await vi.waitFor(() => expect(heard).toEqual([["10.0.0.1:7100", "10.0.0.2:7100", "[fd00::1]:7100"]]));
  answer.addresses = ["10.0.0.3"];
  await vi.waitFor(() => expect(heard.at(-1)).toEqual(["10.0.0.3:7100"]));
});

test("the same answer, in whatever order, is told once", async () => {
  const { answer, heard, watch } = start();
  answer.addresses = ["10.0.0.2", "10.0.0.1"];
  watch();
  await vi.waitFor(() => expect(answer.asked).toBeGreaterThan(1));
  answer.addresses = ["10.0.0.1", "10.0.0.2"];
  const asked = answer.asked;
  await vi.waitFor(() => expect(answer.asked).toBeGreaterThan(asked + 2));
  expect(heard).toHaveLength(1);
});

test("an answer that fails or is empty changes nothing, and is logged once", async () => {
  const { answer, heard, lines, watch } = start();
  watch();
  await vi.waitFor(() => expect(heard).toHaveLength(1));
  for (const nothing of [new Error("SERVFAIL"), []]) {
    answer.addresses = nothing;
    const asked = answer.asked;
    await vi.waitFor(() => expect(answer.asked).toBeGreaterThan(asked + 2));
  }
  answer.addresses = ["10.0.0.1"];
  await vi.waitFor(() => expect(lines).toHaveLength(2));
  expect(lines.map((line) => JSON.parse(line).message)).toEqual([
    "catalog: DNS has no answer",
    "catalog: DNS answers again",
  ]);
  expect(heard).toEqual([["10.0.0.1:7100"]]);
});

test("who comes later hears at once what is known; who has left hears no more; the name is asked for once for all", async () => {
  const { answer, heard, watch } = start({ refreshIntervalMs: 60_000 });
  const first = watch();
  await vi.waitFor(() => expect(heard).toHaveLength(1));
  first[Symbol.dispose]();
  watch();
  expect(heard).toHaveLength(2);
  expect(answer.asked).toBe(1);
});

test("asks nobody after its end", async () => {
  vi.useFakeTimers();
  try {
    const { discovery, answer, watch } = start();
    watch();
    await vi.advanceTimersByTimeAsync(20);
    const { asked } = answer;
    expect(asked).toBeGreaterThan(1);
    await discovery[Symbol.asyncDispose]();
    await vi.advanceTimersByTimeAsync(20);
    expect(answer.asked).toBe(asked);
  } finally {
    vi.useRealTimers();
  }
});

test("a service without a name is an error that says what to add", () => {
  expect(() => start().watch("order")).toThrow("add order=name:port to WEFT_DISCOVERY=dns:");
});

test("the system's own resolver is asked unless told otherwise", async () => {
  const discovery = createDnsDiscovery({
    names: new Map([["catalog", { host: "localhost", port: 7100 }]]),
    logger: createLogger({ service: "test", level: "info", clock: systemClock, write: () => {} }),
  });
  open.push(discovery);
  const heard: string[] = [];
  discovery.watch("catalog", (instances) => heard.push(...instances.map(({ address }) => address)));
  await vi.waitFor(() =>
    expect(heard.some((address) => ["127.0.0.1:7100", "[::1]:7100"].includes(address))).toBe(true),
  );
});
