import { Code, ConnectError } from "@connectrpc/connect";
import { createContextKey, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { inContext } from "./ambient-iterable.ts";
import {
  type CallContext,
  currentCall,
  currentOtelContext,
  currentSignal,
  requireEndUser,
  runAs,
  runDetached,
  runInContext,
} from "./call-context.ts";
import { CancelSource } from "./cancel-source.ts";
import { newTraceIds, traceIdOf } from "./trace-ids.ts";

const endUser = { userId: "usr_1", scopes: ["customer"] };
const otel = ROOT_CONTEXT.setValue(createContextKey("test"), 1);
const abort = new AbortController();
const call: CallContext = {
  method: "shop.order.v1.OrderService/PlaceOrder",
  deadlineMs: 1_000,
  signal: abort.signal,
  peer: "spiffe://weft.local/edge",
  endUser,
  otel,
};

describe("outside of a call", () => {
  test("there is no context, no signal, no end user and the root span", () => {
    expect([currentCall(), currentSignal(), currentOtelContext()]).toEqual([undefined, undefined, ROOT_CONTEXT]);
    expect(requireEndUser).toThrow(ConnectError);
  });
});

describe("inside of a call", () => {
  test("everything is there, across awaits too", async () => {
    await runInContext(call, async () => {
      await Promise.resolve();
      expect(currentCall()).toBe(call);
      expect([currentSignal(), currentOtelContext(), requireEndUser()]).toEqual([abort.signal, otel, endUser]);
    });
  });

  test("an anonymous caller is told to log in", () => {
    const anonymous = { ...call, endUser: undefined };
    const thrown = runInContext(anonymous, () => {
      try {
        return requireEndUser();
      } catch (error) {
        return error;
      }
    });
    expect(thrown).toMatchObject({ code: Code.Unauthenticated });
  });

  test("runInContext(undefined) is outside again", () => {
    runInContext(call, () => runInContext(undefined, () => expect(currentCall()).toBeUndefined()));
  });
});

describe("runAs()", () => {
  test("replaces what it names and keeps the rest", () => {
    runInContext(call, () =>
      runAs({ deadlineMs: 5 }, () => expect(currentCall()).toMatchObject({ ...call, deadlineMs: 5 })),
    );
  });

  test("of a trace that nobody records, the ids stay until a span takes their place", () => {
    const ids = newTraceIds(() => 0.3, 0);
    runAs({ trace: ids }, () => {
      runAs({ deadlineMs: 5 }, () => expect(currentCall()?.trace).toBe(ids));
      expect(trace.getSpanContext(currentOtelContext())?.traceId).toBe(traceIdOf(ids));
      runAs({ otel }, () => expect([currentCall()?.trace, currentOtelContext()]).toEqual([undefined, otel]));
    });
  });

  test("another signal leaves the caller's cancellation behind", () => {
    const cancel = new CancelSource();
    runAs({ cancellation: cancel }, () => {
      expect(currentSignal()).toBe(cancel.signal);
      runAs({ signal: abort.signal }, () =>
        expect([currentSignal(), currentCall()?.cancellation]).toEqual([abort.signal, undefined]),
      );
    });
  });

  test("can take peer and end user away, which leaving them out does not", () => {
    runInContext(call, () => {
      runAs({ peer: undefined, endUser: undefined }, () =>
        expect(currentCall()).toMatchObject({ method: call.method, peer: undefined, endUser: undefined }),
      );
      runAs({}, () => expect(requireEndUser()).toBe(endUser));
    });
  });

  test("keeps what is known of the chain, and says to the call itself that a call made here was repeated in vain", () => {
    const own: CallContext = { ...call, attempt: 2, criticality: "critical" };
    runInContext(own, () =>
      runAs({ deadlineMs: 5 }, () =>
        runAs({}, () => {
          const inner = currentCall();
          expect(inner).toMatchObject({ attempt: 2, criticality: "critical", retriesSpent: false });
          if (inner) inner.retriesSpent = true;
          expect(inner?.retriesSpent).toBe(true);
        }),
      ),
    );
    expect(own.retriesSpent).toBe(true);
    expect(runAs({}, currentCall)?.attempt).toBe(1);
  });

  test("outside of a call gives one without deadline that nobody cancels", () => {
    runAs({ endUser }, () => {
      expect(currentCall()).toMatchObject({ method: "", deadlineMs: Number.POSITIVE_INFINITY, peer: undefined });
      expect(currentSignal()?.aborted).toBe(false);
    });
  });
});

describe("runDetached()", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("keeps trace and identity, and not the caller's deadline and cancellation", async () => {
    const caller = new AbortController();
    const seen = await runInContext({ ...call, signal: caller.signal }, () =>
      runDetached({ timeoutMs: 500 }, async () => {
        caller.abort();
        return currentCall();
      }),
    );
    expect(seen).toMatchObject({ peer: call.peer, endUser, otel, deadlineMs: Date.now() + 500 });
    expect(seen?.signal.aborted).toBe(false);
  });

  test("aborts its signal with DEADLINE_EXCEEDED when its own time is over", async () => {
    const outcome = runDetached({ timeoutMs: 500 }, async () => {
      const signal = currentSignal();
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      return signal?.reason;
    });
    await vi.advanceTimersByTimeAsync(500);
    expect(await outcome).toMatchObject({ code: Code.DeadlineExceeded });
  });

  test("leaves no timer behind, whether the work ends well or not", async () => {
    await runDetached({ timeoutMs: 500 }, async () => 1);
    await expect(runDetached({ timeoutMs: 500 }, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("without an end of its own runs on", async () => {
    const signal = await runDetached({ timeoutMs: Number.POSITIVE_INFINITY }, async () => {
      await vi.advanceTimersByTimeAsync(1_000);
      return currentSignal();
    });
    expect(signal?.aborted).toBe(false);
  });
});

describe("inContext()", () => {
  async function* methods() {
    try {
      for (;;) yield currentCall()?.method;
    } finally {
      left.push(currentCall()?.method);
    }
  }
  const left: (string | undefined)[] = [];

  test("runs every step inside, the last one too, wherever it is iterated", async () => {
    const seen: (string | undefined)[] = [];
    const other = { ...call, method: "another call" };
    await runInContext(other, async () => {
      for await (const method of inContext(call, methods())) {
        seen.push(method, currentCall()?.method);
        if (seen.length === 4) break;
      }
    });
    expect(seen).toEqual([call.method, "another call", call.method, "another call"]);
    expect(left).toEqual([call.method]);
  });

  test("of no context runs outside of any", async () => {
    await runInContext(call, async () => {
      for await (const method of inContext(undefined, methods())) {
        expect(method).toBeUndefined();
        break;
      }
    });
  });
});
