import { describe, expect, test } from "vitest";
import { type HistoryDeps, type HistoryQuery, listOrders, type OrderSummary, watermark } from "./history.ts";

/** A read model that has caught up after so many looks. */
function shop(caughtUpAfter: number, count = 3) {
  let nowMs = 0;
  let looks = 0;
  const read: string[] = [];
  const page = ({ before, limit }: HistoryQuery): OrderSummary[] =>
    Array.from({ length: count }, (_, index) => `ord_${count - index}`)
      .filter((orderId) => before === undefined || orderId < before)
      .slice(0, limit)
      .map((orderId) => ({
        orderId,
        state: "PAID",
        total: { currencyCode: "EUR", minorUnits: 1n },
        itemCount: 1,
        placedAt: new Date(0),
      }));
  const from = (where: string, query: HistoryQuery) => {
    read.push(where);
    return page(query);
  };
  const deps: HistoryDeps = {
    history: {
      fromReadModel: async (query) => (looks++ >= caughtUpAfter ? from("read model", query) : undefined),
      fromOrders: async (query) => from("truth", query),
    },
    clock: { now: () => nowMs, monotonic: () => nowMs },
    pause: async (ms) => {
      nowMs += ms;
    },
  };
  return { deps, read, waitedMs: () => nowMs };
}

describe("listOrders()", () => {
  test.each([
    ["at once from a read model that has caught up", 0, "read model", 0],
    ["from one that catches up in time, once it has", 3, "read model", 3 * watermark.lookIntervalMs],
    ["from the truth, when the read model does not catch up in time", 1_000, "truth", watermark.waitMaxMs],
  ])("reads %s", async (_what, caughtUpAfter, where, waitedMs) => {
    const it = shop(caughtUpAfter);
    await listOrders(it.deps, { userId: "usr_1", before: undefined, pageSize: 0 });
    expect(it.read).toEqual([where]);
    expect(it.waitedMs()).toBe(waitedMs);
  });

  test("says where the next page begins, and on the last that there is none, full or not", async () => {
    const { deps } = shop(0);
    const pageOf = async (before: string | undefined, pageSize: number) => {
      const { orders, next } = await listOrders(deps, { userId: "usr_1", before, pageSize });
      return [orders.map(({ orderId }) => orderId), next];
    };
    expect(await pageOf(undefined, 2)).toEqual([["ord_3", "ord_2"], "ord_2"]);
    expect(await pageOf("ord_2", 2)).toEqual([["ord_1"], undefined]);
    expect(await pageOf(undefined, 3)).toEqual([["ord_3", "ord_2", "ord_1"], undefined]);
  });
});
