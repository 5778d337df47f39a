import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { faults, runFault } from "./scenarios.ts";
import { startTraffic } from "./traffic.ts";
import { startTryWorld, type TryWorld } from "./world.ts";

/**
 * Real processes under load. Calls of methods that may run twice never fail. Of the others those may that are in hand at a replica which is
 * frozen or killed: whether they have run nobody knows. Two seconds later none does. On a busy machine calls come in bursts, so that more are in
 * hand; a client that took turns would lose a third of all 225.
 */
const inHandMax = { frozen: 40, killed: 20, slowed: 0, restarted: 2 };

let world: TryWorld;
let next = 0;
beforeAll(async () => {
  world = await startTryWorld({ replicas: 3 });
});
afterAll(() => world[Symbol.asyncDispose]());

describe.each(["tunnel", "grpc"] as const)("over %s, of three replicas one", (way) => {
  test.each(faults)("that is %s costs no call but those in its hands", { timeout: 90_000 }, async (fault) => {
    world.mesh.edge("echo").transport = way;
    await using traffic = startTraffic({ transport: world.mesh.transport("echo"), callsPerSecond: 150 });
    const { replicas } = world;
    const report = await runFault({ fault, way, replicas, place: next++, traffic, beforeMs: 500, forMs: 3_000 });
    expect(report.calls).toBeGreaterThan(350);
    expect(report.failedIdempotent).toBe(0);
    expect(report.failedOnce).toBeLessThanOrEqual(inHandMax[fault]);
    expect(report.failedLate).toBe(0);
  });
});
