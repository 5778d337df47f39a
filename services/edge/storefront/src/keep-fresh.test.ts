import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { keepFresh } from "./keep-fresh.ts";

/** Reads as long as there are outcomes: undefined is good, a code an error. */
function fresh(outcomes: (Code | undefined)[], isHidden = () => false) {
  const left = new AbortController();
  const connections: string[] = [];
  const pauses: number[] = [];
  let loads = 0;
  const done = keepFresh(
    {
      ...{ intervalMs: 5_000, isHidden },
      async load() {
        loads += 1;
        const code = outcomes.shift();
        if (code !== undefined) throw new ConnectError("away", code);
      },
      async pause(ms) {
        if (outcomes.length === 0 || pauses.length > 20) return left.abort();
        pauses.push(ms);
      },
      onConnection: (connection) => connections.push(connection),
    },
    left.signal,
  );
  return { done, pauses, connections, loads: () => loads };
}

test("reads every so often until one leaves", async () => {
  const { done, pauses, loads } = fresh([undefined, undefined, undefined]);
  await done;
  expect([loads(), pauses]).toEqual([3, [5_000, 5_000, 5_000]]);
});

test("asks less often while it fails, and says so", async () => {
  const away = Array.from({ length: 5 }, () => Code.Unavailable);
  const { done, pauses, connections } = fresh([...away, undefined, undefined]);
  await done;
  expect(pauses).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 5_000]);
  expect(connections).toEqual(["live", ...away.map(() => "reconnecting"), "live", "live"]);
});

test("asks nothing while nobody can see it", async () => {
  const { done, pauses, loads } = fresh([undefined], () => true);
  await done;
  expect([loads(), pauses.length]).toEqual([0, 21]);
});

test.each([Code.Unauthenticated, Code.PermissionDenied])("gives up on code %s", async (code) => {
  await expect(fresh([undefined, code, undefined]).done).rejects.toMatchObject({ code });
});
