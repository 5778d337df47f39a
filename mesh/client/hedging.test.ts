import { create } from "@bufbuild/protobuf";
import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runAs } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import { EchoHedgedResponseSchema, EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { createBreaker } from "../resilience/breaker.ts";
import { createRetryBudget, type RetryBudget } from "../resilience/retry-budget.ts";
import { createTelemetry, type Telemetry } from "../telemetry/telemetry.ts";
import { failure } from "../testing/outcome.ts";
import type { Attempt } from "./attempt.ts";
import { createCalledMethods } from "./called-method.ts";
import { type Connector, createEndpoint, type Endpoint } from "./endpoint.ts";
import { createClientObservers } from "./observe.ts";
import type { Target } from "./target.ts";
import { createMeshTransport } from "./transport.ts";

let telemetry: Telemetry;
beforeEach(() => {
  vi.useFakeTimers();
  telemetry = createTelemetry({ service: "caller", sampleRatio: 0, write: () => undefined });
});
afterEach(async () => {
  await telemetry[Symbol.asyncDispose]();
  vi.useRealTimers();
});

interface Cancelled {
  readonly attempt: Attempt;
  readonly reason: ConnectError;
}

/** A client of endpoints that answer when the test says so. */
function clientOf(addresses: readonly string[]) {
  const sent: Attempt[] = [];
  const cancelled: Cancelled[] = [];
  const connector: Connector = {
    unary(attempt) {
      sent.push(attempt);
      attempt.sent = { cancel: (own, reason) => void cancelled.push({ attempt: own, reason }) };
    },
    stream: () => Promise.reject(new Error("not here")),
    isWell: async () => true,
    close: () => undefined,
  };
  const endpoints = addresses.map((address) =>
    createEndpoint(
      { address },
      () => connector,
      () => createBreaker(),
    ),
  );
  const budget: RetryBudget = createRetryBudget();
  const observer = createClientObservers(telemetry)("echo");
  const pick = (_method: unknown, _nowMs: number, last?: Endpoint): Endpoint => {
    const picked = endpoints.find((endpoint) => endpoint !== last) ?? last;
    if (picked === undefined) throw new Error("no endpoint");
    return picked;
  };
  const target = { name: "echo", pick, opening: () => undefined, attemptEnded: () => undefined } as unknown as Target;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const pipeline = { target, budget, observer, clock, random: () => 0 };
  const client = createClient(
    EchoService,
    createMeshTransport(pipeline, createCalledMethods(observer.durationsOf, clock)),
  );

  const answer = (attempt: Attempt | undefined, text = "") =>
    attempt?.succeeded(create(EchoHedgedResponseSchema, { text }), undefined, performance.now());
  const fail = (attempt: Attempt | undefined, code: Code) => attempt?.failed(rpcError(code, "no"));
  /** Makes the method's p95 known. */
  const warmUp = async (ms: number): Promise<void> => {
    for (let call = 0; call < 64; call++) {
      const outcome = client.echoHedged({});
      vi.advanceTimersByTime(ms);
      answer(sent[0]);
      await outcome;
      sent.length = 0;
    }
  };
  return { client, sent, cancelled, budget, answer, fail, warmUp };
}

test("a call that takes longer than p95 is sent to another endpoint, too: the first answer counts, the other is cancelled", async () => {
  const { client, sent, cancelled, answer, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  const outcome = client.echoHedged({});
  vi.advanceTimersByTime(19);
  expect(sent).toHaveLength(1);
  vi.advanceTimersByTime(2);
  expect(sent.map(({ endpoint }) => endpoint.instance.address)).toEqual(["a", "b"]);
  // It is a repetition to those below.
  expect(sent.map(({ chainAttempt }) => chainAttempt)).toEqual([1, 2]);
  answer(sent[1], "from b");
  expect((await outcome).text).toBe("from b");
  expect(cancelled).toMatchObject([{ attempt: sent[0], reason: { code: Code.Canceled } }]);
  expect(sent.map(({ endpoint }) => endpoint.outstanding)).toEqual([0, 0]);
});

test("the first attempt can still win", async () => {
  const { client, sent, cancelled, answer, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  const outcome = client.echoHedged({});
  vi.advanceTimersByTime(25);
  answer(sent[0], "from a");
  expect((await outcome).text).toBe("from a");
  expect(cancelled.map(({ attempt }) => attempt)).toEqual([sent[1]]);
});

test("a call that is answered in time is sent once, and leaves nothing to wait for", async () => {
  const { client, sent, answer, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  const outcome = client.echoHedged({});
  vi.advanceTimersByTime(10);
  answer(sent[0]);
  await outcome;
  vi.advanceTimersByTime(1_000);
  expect(sent).toHaveLength(1);
});

test.each([
  ["before anybody knows what is slow", { warm: false }],
  ["with nowhere else to go", { addresses: ["a"] }],
  ["where the budget is used up", { spend: true }],
  ["as a part of what is repeated above", { attempt: 2 }],
])(
  "a call is not hedged %s",
  async (_name, options: { warm?: boolean; addresses?: string[]; spend?: boolean; attempt?: number }) => {
    const { client, sent, budget, answer, warmUp } = clientOf(options.addresses ?? ["a", "b"]);
    if (options.warm ?? true) await warmUp(20);
    while (options.spend && budget.spend());
    const outcome = runAs({ attempt: options.attempt ?? 1 }, () => client.echoHedged({}));
    vi.advanceTimersByTime(500);
    expect(sent).toHaveLength(1);
    answer(sent[0]);
    await outcome;
  },
);

test("a method whose contract does not allow it is not hedged", async () => {
  const { client, sent, answer } = clientOf(["a", "b"]);
  for (let call = 0; call < 100; call++) {
    const outcome = client.echo({});
    answer(sent[call]);
    await outcome;
  }
  const outcome = client.echo({});
  vi.advanceTimersByTime(500);
  expect(sent).toHaveLength(101);
  answer(sent[100]);
  await outcome;
});

test("a hedge costs what a retry costs", async () => {
  const { client, sent, budget, answer, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  const before = budget.balance;
  const outcome = client.echoHedged({});
  vi.advanceTimersByTime(21);
  answer(sent[0]);
  await outcome;
  expect(budget.balance).toBeCloseTo(before + 0.1 - 1, 1);
});

test.each([0, 1])("of two attempts number %i fails: the other one's answer counts", async (failing) => {
  const { client, sent, answer, fail, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  const outcome = client.echoHedged({});
  vi.advanceTimersByTime(21);
  fail(sent[failing], Code.Unavailable);
  answer(sent[1 - failing], "well");
  expect((await outcome).text).toBe("well");
});

test("both fail: so does the call", async () => {
  const { client, sent, fail, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  const outcome = failure(client.echoHedged({}));
  vi.advanceTimersByTime(21);
  for (const attempt of sent) fail(attempt, Code.Unavailable);
  expect((await outcome).code).toBe(Code.Unavailable);
});

test("an error that is an answer ends both", async () => {
  const { client, sent, cancelled, fail, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  const outcome = failure(client.echoHedged({}));
  vi.advanceTimersByTime(21);
  fail(sent[1], Code.NotFound);
  expect((await outcome).code).toBe(Code.NotFound);
  expect(cancelled.map(({ attempt }) => attempt)).toEqual([sent[0]]);
});

test("a caller who leaves ends both", async () => {
  const { client, sent, cancelled, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  const abort = new AbortController();
  const outcome = failure(client.echoHedged({}, { signal: abort.signal }));
  vi.advanceTimersByTime(21);
  abort.abort();
  expect((await outcome).code).toBe(Code.Canceled);
  expect(cancelled.map(({ attempt }) => attempt)).toEqual(sent);
});

test("callers who leave soon do not make the method look fast", async () => {
  const { client, sent, answer, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  for (let call = 0; call < 640; call++) {
    const abort = new AbortController();
    const outcome = failure(client.echoHedged({}, { signal: abort.signal }));
    vi.advanceTimersByTime(1);
    abort.abort();
    await outcome;
  }
  sent.length = 0;
  const outcome = client.echoHedged({});
  vi.advanceTimersByTime(15);
  expect(sent).toHaveLength(1);
  answer(sent[0]);
  await outcome;
});

test("a first attempt that is cancelled counts as slow as it was by then: the wait does not shrink to what fast ones take", async () => {
  const { client, sent, answer, warmUp } = clientOf(["a", "b"]);
  await warmUp(20);
  // One call in ten takes long from here on, and is always answered by the other endpoint.
  for (let call = 0; call < 640; call++) {
    sent.length = 0;
    const outcome = client.echoHedged({});
    vi.advanceTimersByTime(call % 10 === 0 ? 40 : 5);
    answer(sent.at(-1));
    await outcome;
  }
  sent.length = 0;
  const outcome = client.echoHedged({});
  vi.advanceTimersByTime(15);
  expect(sent).toHaveLength(1);
  answer(sent[0]);
  await outcome;
});
