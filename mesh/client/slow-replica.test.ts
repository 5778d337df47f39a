import { setTimeout as wait } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { currentSignal } from "../context/call-context.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld } from "../testing/world.ts";

const usualMs = 5;
const slowMs = 500;

test("with one of three replicas slower by half a second, not one in a hundred callers of a hedged method waits for it", async () => {
  await using world = await createWorld();
  let slow = false;
  const calls = [0, 0, 0];
  for (const replica of calls.keys()) {
    await world.serve(
      "echo",
      echoRoutes({
        async echoHedged({ text }) {
          calls[replica] = (calls[replica] ?? 0) + 1;
          const takesMs = slow && replica === 0 ? usualMs + slowMs : usualMs;
          await wait(takesMs, undefined, { signal: currentSignal() });
          return { text };
        },
      }),
    );
  }
  const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
  const durationsOf = async (count: number): Promise<number[]> => {
    const tookMs: number[] = [];
    const caller = async (): Promise<void> => {
      while (tookMs.length < count) {
        const startedAt = performance.now();
        await echo.echoHedged({});
        tookMs.push(performance.now() - startedAt);
      }
    };
    await Promise.all(Array.from({ length: 16 }, caller));
    return tookMs.sort((a, b) => a - b);
  };
  const p99 = (sorted: readonly number[]): string => (sorted[Math.floor(sorted.length * 0.99)] ?? 0).toFixed(1);
  await durationsOf(1_000);
  const before = await durationsOf(2_000);
  slow = true;
  calls.fill(0);
  const after = await durationsOf(2_000);
  console.log(`p99 ${p99(before)} ms before, ${p99(after)} ms with a slow replica, which got ${calls[0]} calls`);
  expect(after.filter((ms) => ms >= slowMs).length).toBeLessThan(after.length / 100);
  // Nor does it get more calls than the budget pays hedges for.
  expect(calls[0]).toBeLessThan(200);
});
