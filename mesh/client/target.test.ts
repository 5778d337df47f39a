import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { seededRandom } from "../../tools/dev/history/chance.ts";
import type { Instance } from "../contract/discovery.ts";
import { rpcError } from "../contract/errors.ts";
import { EchoRequestSchema, EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { Attempt, type AttemptedCall } from "./attempt.ts";
import { type CalledMethod, createCalledMethods } from "./called-method.ts";
import { createEdgeSettings } from "./edge-settings.ts";
import type { Connector } from "./endpoint.ts";
import { type Seat, seatOf } from "./subset.ts";
import { createTarget, type Target } from "./target.ts";

let echo: CalledMethod;
let target: Target;
let ejections: string[];
let seat: Seat;
/** How each instance answers, if it is not well. */
let failing: Map<string, Code>;
/** Which do not even say that they serve. */
let away: Set<string>;
let open: Set<string>;
let asked: string[];

const edge = createEdgeSettings();
const clock = { now: () => Date.now(), monotonic: () => performance.now() };

beforeEach(() => {
  vi.useFakeTimers();
  [failing, away, open, asked, ejections] = [new Map(), new Set(), new Set(), [], []];
  const durations = { record: () => undefined };
  echo = createCalledMethods(() => durations, clock)(EchoService.method.echo);
  seat = seatOf("caller");
  target = createTarget({
    name: "echo",
    edge,
    connect,
    seat: () => seat,
    clock,
    random: seededRandom(3),
    onBreakerChange: () => undefined,
    onEjection: (address, ejected) => ejections.push(`${ejected ? "-" : "+"}${address}`),
  });
});
afterEach(() => void vi.useRealTimers());

function connect({ address }: Instance): Connector {
  open.add(address);
  return {
    unary(attempt) {
      const code = failing.get(address);
      if (code === undefined) attempt.succeeded(create(EchoRequestSchema), undefined, clock.monotonic());
      else attempt.failed(rpcError(code, "no"));
    },
    stream: () => Promise.reject(new Error("not here")),
    async isWell() {
      asked.push(address);
      return !away.has(address);
    },
    close: () => open.delete(address),
  };
}

/** One call; which instance it went to. */
function call(): string {
  const told = (attempt: Attempt, error?: Parameters<Target["attemptEnded"]>[1]): void => {
    attempt.endedAtMs = clock.monotonic();
    target.attemptEnded(attempt, error);
  };
  const attempted = {
    called: echo,
    deadlineMs: Number.POSITIVE_INFINITY,
    attemptSucceeded: (attempt: Attempt) => told(attempt),
    attemptFailed: (attempt: Attempt, error: Parameters<Target["attemptEnded"]>[1]) => told(attempt, error),
  } as unknown as AttemptedCall;
  const endpoint = target.pick(echo, clock.monotonic());
  new Attempt(attempted, endpoint, 1, clock.now(), clock.monotonic()).send();
  return endpoint.instance.address;
}
const calls = (count: number): Map<string, string[]> => Map.groupBy(Array.from({ length: count }, call), (to) => to);
const instances = (count: number): Instance[] => Array.from({ length: count }, (_, index) => ({ address: `${index}` }));

test("an instance that is away gets no second call: it is asked whether it serves, until it does", async () => {
  target.update(instances(3));
  failing.set("1", Code.Unavailable);
  away.add("1");
  let failed = 0;
  for (let n = 0; n < 50; n++) {
    if (call() === "1") failed += 1;
    await vi.advanceTimersByTimeAsync(10);
  }
  expect([failed, ejections]).toEqual([1, ["-1"]]);

  for (let n = 0; n < 1_000; n++) {
    await vi.advanceTimersByTimeAsync(10);
    expect(call()).not.toBe("1");
  }
  expect(new Set(asked)).toEqual(new Set(["1"]));
  expect(asked.length).toBeGreaterThan(2);
  expect(asked.length).toBeLessThan(8);

  away.clear();
  failing.clear();
  await vi.advanceTimersByTimeAsync(5_000);
  call();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ejections).toEqual(["-1", "+1"]);
  expect(calls(300).get("1")?.length).toBeGreaterThan(60);
});

test("one that serves but fails is left alone after a few calls, and not taken back before its time", async () => {
  target.update(instances(3));
  failing.set("1", Code.Unavailable);
  for (let n = 0; n < 500 && ejections.length === 0; n++) {
    call();
    await vi.advanceTimersByTimeAsync(200);
  }
  expect(ejections).toEqual(["-1"]);
  for (let n = 0; n < 80; n++) {
    expect(call()).not.toBe("1");
    await vi.advanceTimersByTimeAsync(10);
  }
});

test("an error that is an answer makes nobody suspect", async () => {
  target.update(instances(2));
  failing.set("0", Code.NotFound).set("1", Code.NotFound);
  calls(20);
  expect([asked, ejections]).toEqual([[], []]);
});

test("of two hundred instances twenty are connected to; one that leaves is closed, and another takes its place", () => {
  const all = instances(200);
  target.update(all);
  expect(open.size).toBe(20);
  expect(calls(2_000).size).toBe(20);
  const [leaving] = open;
  target.update(all.filter(({ address }) => address !== leaving));
  expect(open.size).toBe(20);
  expect(open).not.toContain(leaving);
});

test("a client that gets to know its peers moves to its seat among them, and keeps what it can", () => {
  const peers = Array.from({ length: 20 }, (_, index) => `caller-${index}`);
  seat = seatOf("caller-3");
  target.update(instances(200));
  seat = seatOf("caller-3", peers);
  target.reseat();
  expect(open.size).toBeGreaterThanOrEqual(20);
  expect(open.size).toBeLessThanOrEqual(22);
  const before = new Set(open);
  seat = seatOf("caller-3", [...peers, "caller-20"]);
  target.reseat();
  expect([...before].filter((address) => open.has(address)).length).toBeGreaterThan(10);
});

test("a traffic split set on the edge holds for the next call", () => {
  target.update([
    { address: "a", version: "1" },
    { address: "b", version: "2" },
  ]);
  edge.split = new Map([["2", 100]]);
  expect([...calls(50).keys()]).toEqual(["b"]);
  edge.split = new Map();
  expect(calls(50).size).toBe(2);
});
