import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { OrderState, WatchOrderResponseSchema } from "../../../../gen/shop/api/v1/order_pb.ts";
import { watchOrder } from "./order-watch.ts";

type Said = OrderState | Code;
const failure = (code: Code) => ({ code });

/** Watches an order whose streams say these, one stream after the other; an object is an error that ends it. */
function watch(...streams: (OrderState | { code: Code })[][]) {
  const seen: Said[] = [];
  const connections: string[] = [];
  const pauses: number[] = [];
  const left = new AbortController();
  const done = watchOrder(
    {
      async *open() {
        const states = streams.shift();
        if (states === undefined) return left.abort();
        for (const state of states) {
          if (typeof state === "object") throw new ConnectError("broken", state.code);
          yield create(WatchOrderResponseSchema, { order: { orderId: "ord_1", state } });
        }
      },
      pause: async (ms) => void pauses.push(ms),
      random: () => 1,
      onOrder: ({ state }) => seen.push(state),
      onConnection: (connection) => connections.push(connection),
    },
    left.signal,
  );
  return { seen, connections, pauses, done };
}

test("follows an order to its end", async () => {
  const { seen, connections, done } = watch([OrderState.PLACED, OrderState.SHIPPED, OrderState.DELIVERED]);
  await done;
  expect(seen).toEqual([OrderState.PLACED, OrderState.SHIPPED, OrderState.DELIVERED]);
  expect(connections.at(-1)).toBe("ended");
});

test("opens a broken stream again, and one that ended early", async () => {
  const { seen, connections, done } = watch(
    [OrderState.PLACED, failure(Code.Unavailable)],
    [OrderState.CONFIRMED],
    [OrderState.PAID, OrderState.CANCELLED],
  );
  await done;
  expect(seen).toEqual([OrderState.PLACED, OrderState.CONFIRMED, OrderState.PAID, OrderState.CANCELLED]);
  expect(connections.filter((each) => each === "reconnecting")).toHaveLength(2);
});

test("waits longer after each failure, up to 15 s, and is quick again once a stream spoke", async () => {
  const away = [failure(Code.Unavailable)];
  const { pauses, done } = watch(away, away, away, away, away, away, away, [OrderState.PLACED], [OrderState.CANCELLED]);
  await done;
  expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 500]);
});

test.each([Code.NotFound, Code.Unauthenticated, Code.PermissionDenied])("gives up on code %s", async (code) => {
  const { done } = watch([OrderState.PLACED, failure(code)]);
  await expect(done).rejects.toMatchObject({ code });
});

test("ends when one leaves", async () => {
  const { connections, done } = watch([OrderState.PAID]);
  await done;
  expect(connections).toEqual(["live", "reconnecting"]);
});
