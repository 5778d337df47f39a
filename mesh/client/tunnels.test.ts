import { Code, type ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { rpcError } from "../contract/errors.ts";
import type { ClientTunnel, ClientTunnelListener } from "../tunnel/client-tunnel.ts";
import type { Attempt } from "./attempt.ts";
import { createTunnelHistory } from "./tunnel-history.ts";
import { createTunnels, type Tunnels } from "./tunnels.ts";

/** A tunnel that does what the test says. */
class FakeTunnel implements ClientTunnel {
  state: ClientTunnel["state"] = "opening";
  outstanding = 0;
  bytesInFlight = 0;
  readonly sent: Attempt[] = [];
  readonly asked: string[] = [];
  readonly #listener: ClientTunnelListener;

  constructor(listener: ClientTunnelListener) {
    this.#listener = listener;
  }
  send(call: unknown): boolean {
    if (this.state !== "open") return false;
    this.sent.push(call as Attempt);
    return true;
  }
  cancel(): void {
    this.asked.push("cancel");
  }
  drain(): void {
    this.asked.push("drain");
    this.state = "draining";
  }
  close(): void {
    this.asked.push("close");
  }
  opens(): void {
    this.state = "open";
    this.#listener.opened();
  }
  drains(): void {
    this.state = "draining";
    this.#listener.draining();
  }
  ends(error?: ConnectError): void {
    this.state = "closed";
    this.#listener.closed(error);
  }
}

const away = rpcError(Code.Unavailable, "away");
let opened: FakeTunnel[];
let otherwise: Attempt[];
let draining: boolean;
let tunnels: Tunnels;
beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  [opened, otherwise, draining] = [[], [], false];
  tunnels = createTunnels({
    open(listener) {
      const tunnel = new FakeTunnel(listener);
      opened.push(tunnel);
      return tunnel;
    },
    otherwise: (attempt) => void otherwise.push(attempt),
    onDraining(does) {
      draining = does;
    },
    history: createTunnelHistory(() => 1),
    clock: { now: () => Date.now(), monotonic: () => Date.now() },
  });
});
afterEach(() => void vi.useRealTimers());

const failures: unknown[] = [];
function attempt(): Attempt {
  const made = { startedAtMs: Date.now(), sent: undefined, failed: (error: unknown) => void failures.push(error) };
  return made as unknown as Attempt;
}

/** Opens the first tunnel, as a call does. */
function openFirst(): FakeTunnel {
  tunnels.send(attempt());
  const first = last();
  first.opens();
  first.sent.length = 0;
  return first;
}

function last(): FakeTunnel {
  const tunnel = opened.at(-1);
  if (tunnel === undefined) throw new Error("none was opened");
  return tunnel;
}

describe("the first call", () => {
  test("opens a tunnel and waits for it, as those after it do", () => {
    const calls = [attempt(), attempt(), attempt()];
    expect(calls.map((call) => tunnels.send(call))).toEqual([true, true, true]);
    expect(opened).toHaveLength(1);
    last().opens();
    expect(last().sent).toEqual(calls);
    expect(otherwise).toEqual([]);
  });

  test.each([
    ["the peer has none", rpcError(Code.Unimplemented, "no")],
    ["it cannot be opened", away],
  ])("goes another way if %s, and so do those after it for a while", (_why, error) => {
    const call = attempt();
    tunnels.send(call);
    last().ends(error);
    expect(otherwise).toEqual([call]);
    expect(tunnels.send(attempt())).toBe(false);
    expect(opened).toHaveLength(1);
    vi.advanceTimersByTime(60_000);
    expect(tunnels.send(attempt())).toBe(true);
    expect(opened).toHaveLength(2);
  });

  test("does not wait for long", () => {
    const call = attempt();
    tunnels.send(call);
    vi.advanceTimersByTime(1_000);
    expect(otherwise).toEqual([call]);
    expect(tunnels.send(attempt())).toBe(false);
    last().opens();
    expect(tunnels.send(attempt())).toBe(true);
  });

  test("may be cancelled while it waits", () => {
    const [left, stays] = [attempt(), attempt()];
    tunnels.send(left);
    tunnels.send(stays);
    left.sent?.cancel(left, away);
    last().opens();
    expect(last().sent).toEqual([stays]);
  });

  test("is one of a bounded number that wait", () => {
    for (let n = 0; n < 1_024; n++) tunnels.send(attempt());
    expect(tunnels.send(attempt())).toBe(false);
  });
});

describe("an open tunnel", () => {
  test("takes all calls while it is not loaded", () => {
    const first = openFirst();
    first.outstanding = 511;
    expect(tunnels.send(attempt())).toBe(true);
    expect([opened.length, first.sent.length]).toEqual([1, 1]);
  });

  test.each<[string, Partial<FakeTunnel>]>([
    ["calls", { outstanding: 512 }],
    ["bytes", { bytesInFlight: 4 * 1024 * 1024 }],
  ])("is joined by others when it has many %s, up to four; the least loaded takes the next call", (_what, load) => {
    Object.assign(openFirst(), load);
    for (let n = 0; n < 10; n++) {
      tunnels.send(attempt());
      if (last().state === "opening") last().opens();
      for (const tunnel of opened) Object.assign(tunnel, load);
    }
    expect(opened).toHaveLength(4);
    for (const tunnel of opened) tunnel.outstanding = 600;
    const [, , third] = opened;
    if (third) third.outstanding = 3;
    const before = third?.sent.length ?? 0;
    tunnels.send(attempt());
    expect(third?.sent).toHaveLength(before + 1);
  });

  test("that is full says so: the call goes another way", () => {
    const first = openFirst();
    first.send = () => false;
    expect(tunnels.send(attempt())).toBe(false);
  });

  test("that is full leaves its call to another one", () => {
    const first = openFirst();
    first.outstanding = 512;
    tunnels.send(attempt());
    last().opens();
    Object.assign(first, { outstanding: 0, send: () => false });
    expect(tunnels.send(attempt())).toBe(true);
    expect(last().sent).toHaveLength(1);
  });

  test("is replaced before it is old, and takes calls until the new one is open", () => {
    const first = openFirst();
    vi.advanceTimersByTime(3.5 * 60_000);
    tunnels.send(attempt());
    expect([opened.length, first.sent.length]).toEqual([2, 1]);
    last().opens();
    expect(first.asked).toEqual(["drain"]);
    tunnels.send(attempt());
    expect([first.sent.length, last().sent.length]).toEqual([1, 1]);
  });

  test("that breaks is opened again by the next call", () => {
    openFirst().ends(away);
    expect(tunnels.send(attempt())).toBe(true);
    expect(opened).toHaveLength(2);
  });

  test("of a server that drains takes no more calls, nor does the server while it is said to drain", () => {
    const first = openFirst();
    first.drains();
    expect([draining, tunnels.send(attempt()), first.sent.length]).toEqual([true, false, 0]);
    vi.advanceTimersByTime(15_000);
    expect(draining).toBe(false);
  });

  test("of a server that has come back ends that it is said to drain", () => {
    openFirst().drains();
    vi.advanceTimersByTime(1_000);
    tunnels.send(attempt());
    last().opens();
    expect(draining).toBe(false);
  });
});

describe("tunnels that keep breaking", () => {
  beforeEach(() => {
    for (let n = 0; n < 3; n++) {
      openFirst();
      vi.advanceTimersByTime(10_000);
      last().ends(rpcError(Code.Internal, "reset"));
    }
  });

  test("are given up for a while", () => {
    expect(tunnels.send(attempt())).toBe(false);
    expect(opened).toHaveLength(3);
  });

  test("are tried again without a call: one that breaks costs nothing", () => {
    vi.advanceTimersByTime(60_000);
    expect(tunnels.send(attempt())).toBe(false);
    expect(opened).toHaveLength(4);
    last().opens();
    expect(tunnels.send(attempt())).toBe(false);
    vi.advanceTimersByTime(10_000);
    last().ends(rpcError(Code.Internal, "reset"));
    expect([last().sent, otherwise]).toEqual([[], []]);
    vi.advanceTimersByTime(119_000);
    expect(tunnels.send(attempt())).toBe(false);
    expect(opened).toHaveLength(4);
  });

  test("take calls again once one has grown old", () => {
    vi.advanceTimersByTime(60_000);
    tunnels.send(attempt());
    last().opens();
    vi.advanceTimersByTime(60_000);
    expect(tunnels.send(attempt())).toBe(true);
    expect(last().sent).toHaveLength(1);
  });
});

test("retire() ends tunnels with their last call, and who waits goes another way", () => {
  const first = openFirst();
  tunnels.retire();
  expect(first.asked).toEqual(["drain"]);
  const waiting = attempt();
  tunnels.send(waiting);
  tunnels.retire();
  expect([last().asked, otherwise]).toEqual([["close"], [waiting]]);
});

test("close() ends all, those that wait too, and leaves no timer", () => {
  failures.length = 0;
  openFirst().drains();
  vi.advanceTimersByTime(1_000);
  tunnels.send(attempt());
  tunnels.close();
  expect(last().asked).toEqual(["close"]);
  expect(failures).toMatchObject([{ code: Code.Canceled }]);
  expect(vi.getTimerCount()).toBe(0);
});
