import { create, type Message } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { currentCall } from "../context/call-context.ts";
import { createDeadlines } from "../context/deadlines.ts";
import { systemClock } from "../contract/clock.ts";
import { errorReason, notRunReason, rpcError } from "../contract/errors.ts";
import { Health, HealthCheckRequestSchema } from "../gen/grpc/health/v1/health_pb.ts";
import { EchoRequestSchema, EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { createTelemetry, type Telemetry } from "../telemetry/telemetry.ts";
import { echoRoutes } from "../testing/echo.ts";
import type { Admission, AskingCall } from "./admission.ts";
import { type Input, Stage, UnaryCall } from "./incoming-call.ts";
import { createServerPipeline, type ServerPipeline, type ServerPipelineOptions } from "./pipeline.ts";
import { createRequestValidation } from "./request-validation.ts";
import { collectRoutes } from "./routes.ts";
import type { ServedRoute } from "./served-route.ts";

type Echo = NonNullable<Parameters<typeof echoRoutes>[0]>["echo"];

/** A call that tells what became of it. */
class TestCall extends UnaryCall {
  outcome: unknown;
  readonly #input: Input;
  constructor(served: ServedRoute, input: Input, deadlineMs: number, peer: string | undefined) {
    super(served, systemClock.now(), systemClock.monotonic(), deadlineMs, peer);
    this.#input = input;
  }
  get headers(): Headers {
    return new Headers();
  }
  header(): null {
    return null;
  }
  read(): Input {
    return this.#input;
  }
  answer(output: Message): void {
    this.outcome = output;
  }
  fail(error: ConnectError): void {
    this.outcome = error;
  }
}

let telemetry: Telemetry;
beforeEach(() => {
  vi.useFakeTimers();
  telemetry = createTelemetry({ service: "echo", write: () => undefined, sampleRatio: 0 });
});
afterEach(async () => {
  vi.useRealTimers();
  await telemetry[Symbol.asyncDispose]();
});

function start(echo: Echo, options: Partial<ServerPipelineOptions> = {}) {
  const validate = createRequestValidation([EchoService.method.echo]);
  const pipeline = createServerPipeline({ telemetry, validate, deadlines: createDeadlines(), ...options });
  const routes = collectRoutes((router) => {
    echoRoutes(echo ? { echo } : {})(router);
    router.service(Health, { check: () => ({ status: 1 }) });
  });
  return { pipeline, call: caller(pipeline, routes) };
}

function caller(pipeline: ServerPipeline, routes: ReturnType<typeof collectRoutes>) {
  const prepared = new Map([...routes.values()].map((route) => [route.policy.path, pipeline.prepare(route)]));
  return (more: { path?: string; leftMs?: number; peer?: string | undefined } = {}) => {
    const { path = "weft.echo.v1.EchoService/Echo", leftMs = 1_000 } = more;
    const served = prepared.get(path);
    if (served === undefined) throw new Error(path);
    const input =
      served.method === Health.method.check
        ? create(HealthCheckRequestSchema)
        : create(EchoRequestSchema, { text: "x" });
    const peer = "peer" in more ? more.peer : "spiffe://test.local/caller";
    const call = new TestCall(served, input, Date.now() + leftMs, peer);
    pipeline.unary(call);
    return call;
  };
}

const probe = { path: "grpc.health.v1.Health/Check", peer: undefined };

describe("a unary call", () => {
  test("whose handler answers at once is answered at once, and its handler ran inside it", () => {
    const { call } = start(() => ({ text: currentCall()?.method ?? "none" }));
    expect(call().outcome).toMatchObject({ text: "weft.echo.v1.EchoService/Echo" });
  });

  test("that takes longer than its deadline fails then, and its handler is told", async () => {
    const reasons: unknown[] = [];
    const { call } = start((_request, { signal }) => {
      signal.addEventListener("abort", () => reasons.push(signal.reason));
      return new Promise(() => undefined);
    });
    const slow = call({ leftMs: 50 });
    await vi.advanceTimersByTimeAsync(45);
    expect(slow.outcome).toBeUndefined();
    await vi.advanceTimersByTimeAsync(20);
    expect(slow.outcome).toMatchObject({ code: Code.DeadlineExceeded });
    expect(reasons).toEqual([expect.objectContaining({ code: Code.DeadlineExceeded })]);
  });

  test("that is cancelled fails with the reason; what its handler answers later comes to nothing", async () => {
    const answer = Promise.withResolvers<{ text: string }>();
    const { call } = start(() => answer.promise);
    const cancelled = call();
    cancelled.cancel(rpcError(Code.Canceled, "left"));
    answer.resolve({ text: "late" });
    await vi.advanceTimersByTimeAsync(1);
    expect(cancelled.outcome).toMatchObject({ code: Code.Canceled, rawMessage: "left" });
  });

  test("leaves a signal that is aborted when it has ended, for what its handler has left behind", () => {
    let signal: AbortSignal | undefined;
    const { call } = start(() => {
      signal = currentCall()?.signal;
      return { text: "" };
    });
    call();
    expect(signal?.aborted).toBe(true);
  });

  test("of a peer who may not make it does not reach its handler", () => {
    const echo = vi.fn<NonNullable<Echo>>(() => ({ text: "" }));
    const authorize = vi.fn(() => {
      throw rpcError(Code.PermissionDenied, "not you");
    });
    const { call } = start(echo, { authorize });
    expect(call().outcome).toMatchObject({ code: Code.PermissionDenied });
    expect(call({ peer: undefined }).outcome).toMatchObject({ code: Code.Unauthenticated });
    expect(authorize).toHaveBeenCalledTimes(1);
    expect(echo).not.toHaveBeenCalled();
  });

  test("to a server that drains has surely not run, and says so", async () => {
    const { pipeline, call } = start(() => ({ text: "" }));
    await pipeline.drain(10);
    const refused = call();
    expect(refused.outcome).toMatchObject({ code: Code.Unavailable });
    expect(errorReason(refused.outcome as ConnectError)).toBe(notRunReason);
  });
});

describe("admission", () => {
  /** Lets calls wait until it is told otherwise. */
  function gate(answer: () => boolean) {
    const waiting: AskingCall[] = [];
    const left: [call: AskingCall, settled: boolean][] = [];
    const settled: AskingCall[] = [];
    const admission: Admission = {
      enter(call) {
        const goesOn = answer();
        if (!goesOn) waiting.push(call);
        return goesOn;
      },
      leave(call, _endedAtMs, hasSettled) {
        call.lingers = !hasSettled;
        left.push([call, hasSettled]);
      },
      settled: (call) => void settled.push(call),
    };
    return { admission, waiting, left, settled };
  }

  test("that lets a call in is told of its end, once", async () => {
    const { admission, left, settled } = gate(() => true);
    const { call } = start(() => ({ text: "" }), { admission });
    const good = call();
    const failing = start(() => Promise.reject(new Error("no")), { admission }).call();
    await Promise.resolve();
    failing.cancel(rpcError(Code.Canceled, "left"));
    expect(left.map(([one, hasSettled]) => [one === good || one === failing, hasSettled])).toEqual([
      [true, true],
      [true, true],
    ]);
    expect(settled).toEqual([]);
  });

  test("is told of a handler that goes on although its caller has left, and when it ends", async () => {
    const { admission, left, settled } = gate(() => true);
    const work = Promise.withResolvers<{ text: string }>();
    const call = start(() => work.promise, { admission }).call();
    call.cancel(rpcError(Code.Canceled, "left"));
    expect(left.map(([one, hasSettled]) => [one === call, hasSettled])).toEqual([[true, false]]);
    expect(settled).toEqual([]);
    work.resolve({ text: "" });
    await work.promise;
    await Promise.resolve();
    expect(settled.length).toBe(1);
    expect(left.length).toBe(1);
  });

  test("that has a call wait lets it go on later, or refuses it", () => {
    const echo = vi.fn<NonNullable<Echo>>(({ text }) => ({ text }));
    const { admission, waiting, left } = gate(() => false);
    const { call } = start(echo, { admission });
    const [first, second] = [call(), call()];
    expect([first.outcome, second.outcome, first.stage]).toEqual([undefined, undefined, Stage.waiting]);
    waiting[0]?.admitted();
    waiting[1]?.refused(rpcError(Code.ResourceExhausted, "too much"));
    expect(first.outcome).toMatchObject({ text: "x" });
    expect(second.outcome).toMatchObject({ code: Code.ResourceExhausted });
    waiting[0]?.admitted();
    expect([echo.mock.calls.length, left.map(([one]) => one === first)]).toEqual([1, [true]]);
  });

  test("that has a call wait is not told of its end before it was let in", async () => {
    const { admission, waiting, left } = gate(() => false);
    const { call } = start(() => ({ text: "" }), { admission });
    const late = call({ leftMs: 20 });
    await vi.advanceTimersByTimeAsync(40);
    expect(late.outcome).toMatchObject({ code: Code.DeadlineExceeded });
    waiting[0]?.admitted();
    expect(left).toEqual([]);
    expect(late.reason).toBeDefined();
  });

  test("that turns a call away is not told of its end; probes do not ask", () => {
    const { admission, left } = gate(() => {
      throw rpcError(Code.ResourceExhausted, "too much");
    });
    const { call } = start(() => ({ text: "" }), { admission });
    expect(call().outcome).toMatchObject({ code: Code.ResourceExhausted });
    const probed = call(probe);
    expect(errorReason(probed.outcome as ConnectError)).toBe("PEER_UNKNOWN");
    expect(left).toEqual([]);
  });
});
