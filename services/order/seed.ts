import { bucketOf, type Database, insertRows } from "@weft/mesh/data";
import type { Order, OrderState } from "./domain.ts";
import { eventColumns, eventValues, type StoredEvent } from "./event-rows.ts";
import { projectOrders } from "./projection.ts";
import { orderColumns, orderValues } from "./rows.ts";

/** An order that was placed long ago. */
export interface OrderSeed {
  readonly order: Order;
  readonly events: readonly StoredEvent[];
}

/** In these neither a saga nor payment has anything to do. */
const settled: readonly OrderState[] = ["PAID", "SHIPPED", "DELIVERED", "CANCELLED"];

/** Whether there is an order: anybody's, or one that a user has placed with an id below this one. */
export async function hasOrders(
  database: Database,
  of?: { readonly userId: string; readonly below: string },
): Promise<boolean> {
  const rows = of
    ? await database.query("order.findSeeded", "SELECT 1 FROM orders WHERE user_id = ? AND order_id < ? LIMIT 1", [
        of.userId,
        of.below,
      ])
    : await database.query("order.findAny", "SELECT 1 FROM orders LIMIT 1");
  return rows.length > 0;
}

/** Writes orders with which the saga is done, all or none: events, rows, read model. Nobody hears of them. */
export async function seedOrders(database: Database, seeds: readonly OrderSeed[]): Promise<void> {
  const orders = seeds.map(({ order }) => order);
  const unsettled = orders.find(({ state }) => !settled.includes(state));
  if (unsettled !== undefined) throw new Error(`${unsettled.orderId} is ${unsettled.state}: a saga must act on it`);
  await database.transaction("order.seedOrders", async (tx) => {
    await insertRows(
      tx,
      "order.seedEvents",
      { table: "order_events", columns: eventColumns },
      seeds.flatMap(({ order: { orderId }, events }) =>
        events.map((event, index) => eventValues(orderId, index + 1, event)),
      ),
    );
    await insertRows(
      tx,
      "order.seedOrders",
      { table: "orders", columns: orderColumns },
      orders.map((order) => orderValues(order, bucketOf(order.orderId))),
    );
    await insertRows(
      tx,
      "order.seedSagas",
      { table: "sagas", columns: ["order_id", "attempts"] },
      orders.map(({ orderId }) => [orderId, 0]),
    );
    await projectOrders(tx, orders);
  });
}
