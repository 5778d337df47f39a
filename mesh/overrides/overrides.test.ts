import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "../contract/clock.ts";
import type { OnOverride } from "../contract/override-source.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import type { EdgeOverrides } from "./edge-overrides.ts";
import { createOverrides, type Overrides, type OverridesOptions } from "./overrides.ts";
import { overrideAt, startSigners } from "./testing.ts";

let signers: Awaited<ReturnType<typeof startSigners>>;
const lines: { level: string; message: string; because?: string }[] = [];
const telemetry = createTelemetry({ service: "edge", write: (line) => void lines.push(JSON.parse(line)) });
beforeAll(async () => {
  signers = await startSigners();
});
afterAll(async () => {
  await signers?.[Symbol.asyncDispose]();
  await telemetry[Symbol.asyncDispose]();
});
let open: Overrides[];
beforeEach(() => {
  open = [];
  lines.length = 0;
  // Not the asynchronous parts of signing and of streams.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
  for (const one of open) one[Symbol.dispose]();
});

/** A process that is told of overrides. */
function start(options: Partial<OverridesOptions> = {}) {
  let tell: OnOverride = () => {};
  const state = { edges: new Map() as ReadonlyMap<string, EdgeOverrides> };
  const source = {
    namespace: "shop",
    watch(onOverride: OnOverride) {
      tell = onOverride;
      return { [Symbol.dispose]: () => {} };
    },
  };
  const overrides = createOverrides({
    ...{ source, service: "edge", credentials: signers.credentials, telemetry, clock: systemClock },
    faultsAllowed: true,
    apply(edges) {
      state.edges = edges;
    },
    ...options,
  });
  open.push(overrides);
  const put = (changes: Parameters<typeof overrideAt>[1] = {}, sign = signers.asOperator) => {
    const override = overrideAt(Date.now(), changes);
    const bytes = sign(override);
    tell(override.id, bytes);
    return bytes;
  };
  return { overrides, state, put, tell: (...heard: Parameters<OnOverride>) => tell(...heard) };
}
const fault = { method: "", percentage: 100, kind: { case: "abortCode", value: 14 } } as const;
const reasons = (overrides: Overrides) => overrides.known().map(({ ignoredBecause }) => ignoredBecause);

test("an override is in force at once and until it expires; both are logged with who and why", () => {
  const { overrides, state, put } = start();
  put();
  expect(state.edges.get("catalog")).toEqual({ transport: "grpc" });
  expect(overrides.known()).toMatchObject([{ key: "shop.transport.catalog", ignoredBecause: undefined }]);
  vi.advanceTimersByTime(3_599_000);
  expect(state.edges.size).toBe(1);
  vi.advanceTimersByTime(2_000);
  expect(state.edges.size).toBe(0);
  expect(overrides.known()).toEqual([]);
  expect(lines).toMatchObject([
    { message: "a runtime override is in force", author: "ada", reason: "a test", target: "catalog" },
    { message: "a runtime override is over", id: "transport.catalog" },
  ]);
});

test("of several for the same calls the last one issued holds, and faults add up", () => {
  const { state, put } = start();
  put({ id: "one", effect: { case: "transport", value: 2 } });
  vi.advanceTimersByTime(1_000);
  put({ id: "two", effect: { case: "split", value: { percentages: { v2: 10 } } } });
  put({ id: "three", effect: { case: "transport", value: 3 } });
  put({ id: "four", effect: { case: "fault", value: fault } });
  put({ id: "five", effect: { case: "fault", value: { ...fault, method: "a.B/C" } } });
  expect(state.edges.get("catalog")).toEqual({
    transport: "grpc",
    split: new Map([["v2", 10]]),
    faults: [
      { method: "a.B/C", percentage: 100, kind: { case: "abort", code: 14 } },
      { method: undefined, percentage: 100, kind: { case: "abort", code: 14 } },
    ],
  });
});

test("an override of another's calls is nothing to this process", () => {
  const { overrides, state, put } = start();
  put({ caller: "order" });
  expect([state.edges.size, overrides.known()]).toEqual([0, []]);
  put({ id: "mine", caller: "edge" });
  expect(state.edges.size).toBe(1);
});

test("a withdrawal ends it, and what was withdrawn does not come back", () => {
  const { overrides, state, put, tell } = start();
  const bytes = put();
  vi.advanceTimersByTime(1_000);
  put({ effect: { case: "withdrawal", value: {} } });
  expect(state.edges.size).toBe(0);
  tell("transport.catalog", bytes);
  expect([state.edges.size, reasons(overrides)]).toEqual([0, ["a newer one has taken its place"]]);
});

test("a removal that nobody has signed changes nothing, and is reported", () => {
  const { overrides, state, put, tell } = start();
  put();
  tell("transport.catalog", undefined);
  tell("never-heard-of", undefined);
  expect(state.edges.size).toBe(1);
  expect(reasons(overrides)).toEqual([undefined, expect.stringContaining("its removal is not signed")]);
});

test("what is not signed by the operator, or has expired, is ignored and reported once, and displaces nothing", () => {
  const { overrides, state, put, tell } = start();
  put();
  lines.length = 0;
  vi.advanceTimersByTime(1_000);
  for (let time = 0; time < 3; time++) put({ effect: { case: "transport", value: 2 } }, signers.asService);
  tell("garbage", Buffer.from("garbage"));
  put({ id: "old", issuedAt: timestampFromMs(Date.now() - 7_000), expiresAt: timestampFromMs(Date.now() - 1) });
  expect(state.edges.get("catalog")).toEqual({ transport: "grpc" });
  expect(lines.map(({ level, because }) => [level, because])).toEqual([
    ["warn", expect.stringContaining("it is signed by spiffe://test.local/order")],
    ["warn", "it is no override"],
    ["warn", expect.stringContaining("it expired at")],
  ]);
  expect(overrides.known()).toHaveLength(4);
});

test("a fault is for processes that were started to have faults", () => {
  const { overrides, state, put } = start({ faultsAllowed: false });
  put({ effect: { case: "fault", value: fault } });
  expect(state.edges.size).toBe(0);
  expect(reasons(overrides)).toEqual(["this process was not started with WEFT_FAULTS_ALLOWED=true"]);
});

test("a process remembers no more overrides than the limit", () => {
  const { overrides, state } = start();
  const { put, tell } = start();
  for (let id = 0; id < 1_200; id++) tell(`garbage-${id}`, Buffer.from("garbage"));
  put();
  expect([overrides.known().length, state.edges.size]).toEqual([0, 0]);
  expect(open[1]?.known()).toHaveLength(1_001);
});
