import fc from "fast-check";
import { expect, test } from "vitest";
import { EndpointLoad, latencyFloorMs } from "./endpoint-load.ts";

/** An endpoint that has answered for so long each time, one call after the other. Returns when. */
function answering(load: EndpointLoad, tookMs: number, times: number, fromMs = 0): number {
  let nowMs = fromMs;
  for (let n = 0; n < times; n++) {
    load.begin(nowMs);
    load.end(nowMs + tookMs, nowMs, "well");
    nowMs += tookMs;
  }
  return nowMs;
}

test("a call costs more for each one that is in hand, and for each open stream", () => {
  const load = new EndpointLoad();
  const costs = [load.cost(0, 1)];
  load.begin(0);
  costs.push(load.cost(0, 1));
  load.begin(0);
  load.opened(0);
  costs.push(load.cost(0, 1));
  load.closed();
  load.end(0, 0, "well");
  expect([...costs, load.cost(0, 1)]).toEqual([1, 2, 3, 1]);
});

test("latency comes near to what calls take, from both sides", () => {
  const load = new EndpointLoad();
  let nowMs = answering(load, 100, 40);
  expect(Math.abs(load.latencyMs(nowMs) - 100)).toBeLessThan(10);
  nowMs = answering(load, 20, 300, nowMs);
  expect(Math.abs(load.latencyMs(nowMs) - 20)).toBeLessThan(2);
});

test("a single slow answer is half forgotten after a second of good ones, not at once", () => {
  const load = new EndpointLoad();
  let nowMs = answering(load, 2, 100);
  nowMs = answering(load, 100, 1, nowMs);
  expect(load.latencyMs(nowMs)).toBeGreaterThan(25);
  nowMs = answering(load, 2, 10, nowMs);
  expect(load.latencyMs(nowMs)).toBeGreaterThan(20);
  nowMs = answering(load, 2, 700, nowMs);
  expect(load.latencyMs(nowMs)).toBeLessThan(11);
});

test("the first answers of an endpoint, which pay for its cold start, are not held against it", () => {
  const load = new EndpointLoad();
  const nowMs = answering(load, 300, 8);
  expect(load.latencyMs(nowMs)).toBe(latencyFloorMs);
});

test("an endpoint that gets no calls is forgiven in time", () => {
  const load = new EndpointLoad();
  const nowMs = answering(load, 500, 50);
  expect(load.latencyMs(nowMs + 4_000)).toBeCloseTo(load.latencyMs(nowMs) / Math.E, 3);
  expect(load.latencyMs(nowMs + 60_000)).toBe(latencyFloorMs);
});

test("silence counts as latency while somebody waits, from the first call on", () => {
  const load = new EndpointLoad();
  const nowMs = answering(load, 2, 100);
  load.begin(nowMs);
  expect(load.cost(nowMs, 1)).toBeCloseTo(2 * 2, 0);
  expect(load.cost(nowMs + 50, 1)).toBeCloseTo(2 * 50, 0);
  load.begin(nowMs + 60);
  load.end(nowMs + 61, nowMs + 60, "well");
  expect(load.cost(nowMs + 62, 1)).toBeLessThan(10);
});

test("nobody waits, nothing is silent; a stream may be silent for ever", () => {
  const load = new EndpointLoad();
  load.begin(0);
  load.opened(0);
  expect(load.cost(60_000, 1)).toBe(2);
});

test("who answers nobody is as slow as all have waited in turn, however soon each of them gives up", () => {
  const load = new EndpointLoad();
  let nowMs = answering(load, 2, 100);
  for (let call = 0; call < 50; call++) {
    load.begin(nowMs);
    load.end(nowMs + 10, nowMs, "unknown");
    // Between two calls nobody waits: that is no silence.
    nowMs += 20;
  }
  expect(load.latencyMs(nowMs)).toBeGreaterThan(300);
  expect(load.latencyMs(nowMs)).toBeLessThan(510);
  load.begin(nowMs);
  load.end(nowMs + 2, nowMs, "well");
  load.begin(nowMs + 2);
  load.end(nowMs + 12, nowMs + 2, "unknown");
  expect(load.latencyMs(nowMs + 5_000)).toBeLessThan(150);
});

test("a call that was given up tells how long it took at least, and never that it was fast", () => {
  const load = new EndpointLoad();
  const nowMs = answering(load, 10, 300);
  const before = load.latencyMs(nowMs + 1);
  load.begin(nowMs);
  load.end(nowMs + 1, nowMs, "unknown");
  expect(load.latencyMs(nowMs + 1)).toBe(before);
  load.begin(nowMs);
  load.end(nowMs + 1_000, nowMs, "unknown");
  expect(load.latencyMs(nowMs + 1_000)).toBeGreaterThan(250);
});

test("who fails fast does not look fast", () => {
  const load = new EndpointLoad();
  for (let nowMs = 0; nowMs < 5; nowMs++) {
    load.begin(nowMs);
    load.end(nowMs, nowMs, "ill");
  }
  expect(load.latencyMs(5)).toBeGreaterThan(100);
});

test("whatever happens, the cost is a number above zero, and idle again means that nothing is in hand", () => {
  const event = fc.record({
    afterMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
    verdict: fc.constantFrom("well" as const, "ill" as const, "unknown" as const),
    begins: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const load = new EndpointLoad();
      const startedAtMs: number[] = [];
      let nowMs = 0;
      for (const { afterMs, verdict, begins } of events) {
        nowMs += afterMs;
        if (begins) {
          load.begin(nowMs);
          startedAtMs.push(nowMs);
        } else {
          const started = startedAtMs.shift();
          if (started !== undefined) load.end(nowMs, started, verdict);
        }
        const cost = load.cost(nowMs, 0.5);
        expect(cost).toBeGreaterThan(0);
        expect(cost).toBeLessThan(Number.POSITIVE_INFINITY);
        expect(load.outstanding).toBe(startedAtMs.length);
      }
    }),
  );
});
