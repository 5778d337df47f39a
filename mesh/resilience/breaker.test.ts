import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { rpcError } from "../contract/errors.ts";
import { type Breaker, type BreakerState, createBreaker, type Trial } from "./breaker.ts";

let states: BreakerState[];
let breaker: Breaker;
beforeEach(() => {
  vi.useFakeTimers();
  states = [];
  breaker = createBreaker((state) => states.push(state));
});
afterEach(() => void vi.useRealTimers());

const fails = (code: Code) => () => Promise.reject(rpcError(code, ""));
const answers = () => Promise.resolve("here");
const outcome = (call: Promise<unknown>) => call.catch((error: unknown) => ConnectError.from(error).code);

async function repeat(times: number, call: () => Promise<unknown>, hurried = false): Promise<void> {
  for (let n = 0; n < times; n++) await outcome(breaker.execute(call, hurried));
}

async function open(): Promise<void> {
  await repeat(5, fails(Code.Unavailable));
  expect(breaker.state).toBe("open");
}

describe("a closed breaker", () => {
  test("passes answers and errors on", async () => {
    expect(await breaker.execute(answers)).toBe("here");
    expect(await outcome(breaker.execute(fails(Code.NotFound)))).toBe(Code.NotFound);
    expect(await breaker.execute(async () => undefined)).toBeUndefined();
    expect(breaker.admits()).toBe(true);
  });

  test.each([Code.Unavailable, Code.DeadlineExceeded, Code.Internal, Code.Unknown, Code.DataLoss])(
    "opens at the fifth failure in a row, code %s",
    async (code) => {
      await repeat(4, fails(code));
      expect(breaker.state).toBe("closed");
      await repeat(1, fails(code));
      expect([breaker.state, breaker.admits(), states]).toEqual(["open", false, ["open"]]);
    },
  );

  test("opens when more than half of many calls fail, though never five in a row", async () => {
    for (let n = 0; n < 10 && breaker.state === "closed"; n++) {
      await repeat(2, fails(Code.Unavailable));
      await repeat(1, answers);
    }
    expect(breaker.state).toBe("open");
  });

  test.each([Code.NotFound, Code.InvalidArgument, Code.Aborted, Code.ResourceExhausted, Code.PermissionDenied])(
    "takes an error that is not the endpoint's for an answer, code %s",
    async (code) => {
      await repeat(100, fails(code));
      for (let n = 0; n < 100; n++) {
        await repeat(1, fails(Code.Unavailable));
        await repeat(2, fails(code));
      }
      expect(states).toEqual([]);
    },
  );

  test.each<[string, () => Promise<unknown>, boolean]>([
    ["a cancelled call", fails(Code.Canceled), false],
    ["a call that had too little time", fails(Code.DeadlineExceeded), true],
    ["an error that never left the process", () => Promise.reject(new TypeError()), false],
  ])("learns nothing from %s, good or bad", async (_name, call, hurried) => {
    await repeat(4, fails(Code.Unavailable));
    await repeat(50, call, hurried);
    expect(breaker.state).toBe("closed");
    await repeat(1, fails(Code.Unavailable));
    expect(breaker.state).toBe("open");
  });
});

describe("an open breaker", () => {
  beforeEach(open);

  test("lets the first probe through after 500 ms", () => {
    vi.advanceTimersByTime(499);
    expect(breaker.admits()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(breaker.admits()).toBe(true);
  });

  test("closes when the probe is answered, with an error of another's making too", async () => {
    vi.advanceTimersByTime(500);
    await repeat(1, fails(Code.NotFound));
    expect(states).toEqual(["open", "half-open", "closed"]);
    await repeat(4, fails(Code.Unavailable));
    expect(breaker.state).toBe("closed");
  });

  test("waits longer after each probe that fails, 2 s at most", async () => {
    const waits: number[] = [];
    for (let n = 0; n < 5; n++) {
      let waited = 0;
      for (; !breaker.admits(); waited += 100) vi.advanceTimersByTime(100);
      waits.push(waited);
      await repeat(1, fails(Code.Unavailable));
    }
    expect(waits).toEqual([500, 1_000, 2_000, 2_000, 2_000]);
  });
});

describe("a half-open breaker", () => {
  beforeEach(async () => {
    await open();
    vi.advanceTimersByTime(500);
  });

  test("lets one probe through at a time", async () => {
    const probe = Promise.withResolvers<string>();
    const call = breaker.execute(() => probe.promise);
    expect([breaker.state, breaker.admits()]).toEqual(["half-open", false]);
    probe.resolve("well");
    expect(await call).toBe("well");
    await vi.advanceTimersByTimeAsync(0);
    expect([breaker.state, breaker.admits()]).toEqual(["closed", true]);
  });

  test.each<[string, () => Promise<unknown>, boolean]>([
    ["is cancelled", fails(Code.Canceled), false],
    ["had too little time", fails(Code.DeadlineExceeded), true],
    ["never left the process", () => Promise.reject(new TypeError()), false],
  ])("is not closed by a probe that %s: the next one finds out", async (_name, call, hurried) => {
    await repeat(1, call, hurried);
    expect([breaker.state, breaker.admits()]).toEqual(["open", false]);
    vi.advanceTimersByTime(1_000);
    await repeat(1, answers);
    expect(breaker.state).toBe("closed");
  });

  test("does not wait for ever for a probe that is not answered", async () => {
    const probe = Promise.withResolvers<string>();
    const call = breaker.execute(() => probe.promise);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(breaker.state).toBe("open");
    probe.resolve("late");
    expect(await call).toBe("late");
    expect(breaker.state).toBe("open");
    await vi.advanceTimersByTimeAsync(1_000);
    await repeat(1, answers);
    expect([breaker.state, vi.getTimerCount()]).toEqual(["closed", 0]);
  });
});

describe("streams", () => {
  const settled = () => vi.advanceTimersByTimeAsync(0);
  async function stream(how: (trial: Trial) => void): Promise<void> {
    how(breaker.begin("streaming"));
    await settled();
  }

  test("that break after they were opened count as failures", async () => {
    for (let n = 0; n < 5; n++) {
      await stream((trial) => {
        trial.opened();
        trial.ended(rpcError(Code.Unavailable, ""));
      });
    }
    expect(breaker.state).toBe("open");
  });

  test("that end well, or whose reader leaves, do not", async () => {
    for (let n = 0; n < 20; n++) {
      await stream((trial) => trial.ended());
      await stream((trial) => trial.ended(rpcError(Code.Canceled, "")));
    }
    expect(states).toEqual([]);
  });

  test("close a half-open breaker when they are opened, since they may never end", async () => {
    await open();
    vi.advanceTimersByTime(500);
    const trial = breaker.begin("streaming");
    expect(breaker.state).toBe("half-open");
    trial.opened();
    await settled();
    expect(breaker.state).toBe("closed");
    trial.ended(rpcError(Code.Unavailable, ""));
    await settled();
    expect(breaker.state).toBe("closed");
  });

  test("close it too when they are quiet but not refused", async () => {
    await open();
    vi.advanceTimersByTime(500);
    breaker.begin("streaming");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(breaker.state).toBe("closed");
  });
});
