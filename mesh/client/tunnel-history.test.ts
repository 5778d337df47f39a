import { Code } from "@connectrpc/connect";
import { beforeEach, expect, test } from "vitest";
import { rpcError } from "../contract/errors.ts";
import { createTunnelHistory, type TunnelHistory } from "./tunnel-history.ts";

const away = rpcError(Code.Unavailable, "away");
let history: TunnelHistory;
beforeEach(() => {
  history = createTunnelHistory(() => 1);
});

/** When the next one may be opened, from a moment on. */
function waitFrom(nowMs: number): number {
  let ms = 0;
  while (!history.mayOpen(nowMs + ms)) ms += 50;
  return ms;
}

test("the first may be opened at once, the next after a failure later and later, 5 s at most", () => {
  expect(waitFrom(0)).toBe(0);
  const waits: number[] = [];
  for (let n = 0; n < 8; n++) {
    history.failed(1_000, away);
    waits.push(waitFrom(1_000));
  }
  expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

test("one that opens ends the row of failures", () => {
  for (let n = 0; n < 5; n++) history.failed(0, away);
  history.opened();
  history.failed(10_000, away);
  expect(waitFrom(10_000)).toBe(100);
});

test.each([Code.Unimplemented, Code.FailedPrecondition])(
  "a peer that has no tunnels of ours is asked again after a minute (code %i)",
  (code) => {
    history.failed(0, rpcError(code, "no"));
    expect(waitFrom(0)).toBe(60_000);
    expect(history.onProbation).toBe(false);
  },
);

test("the third young one in a row that breaks is the last for a minute, and the next is on probation", () => {
  history.broke(0, 10_000);
  history.broke(0, 10_000);
  expect([waitFrom(0), history.onProbation]).toEqual([0, false]);
  history.broke(0, 10_000);
  expect([waitFrom(0), history.onProbation]).toEqual([60_000, true]);
});

test("each that breaks on probation doubles the wait, 10 minutes at most; one that grows old ends it", () => {
  const waits: number[] = [];
  for (let n = 0; n < 8; n++) {
    history.broke(0, 10_000);
    waits.push(waitFrom(0));
  }
  expect(waits).toEqual([0, 0, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]);
  history.proved();
  expect(history.onProbation).toBe(false);
  history.broke(1_000_000, 10_000);
  expect([waitFrom(1_000_000), history.onProbation]).toEqual([0, false]);
});

test("one that breaks after it has grown old counts for nothing", () => {
  for (let n = 0; n < 10; n++) history.broke(0, 61_000);
  history.broke(0, 10_000);
  history.broke(0, 10_000);
  expect([waitFrom(0), history.onProbation]).toEqual([0, false]);
});

test("a server that wants no calls is asked again after a second", () => {
  history.refused(0);
  expect(waitFrom(0)).toBe(1_000);
});
