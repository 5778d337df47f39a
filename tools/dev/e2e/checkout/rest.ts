import { setTimeout as pause } from "node:timers/promises";
import { expectEventsToBeHandled } from "../books.ts";
import type { Checkout } from "./shop.ts";

/** Between two looks. */
const lookIntervalMs = 25;
const restTimeoutMs = 20_000;
/** Longer than a request of payment's can be on its way to the provider. */
const requestTimeoutMs = 3_000;

/**
 * Waits until nothing moves any more that concerns a user's orders: no order, no saga, no payment, no event. Returns their ids.
 *
 * @throws Error that names what still moves
 */
export async function untilAtRest(checkout: Checkout, userId: string): Promise<ReadonlySet<string>> {
  const orderIds = await orderIdsOf(checkout, userId);
  const untilMs = performance.now() + restTimeoutMs;
  // Twice, since what is looked at first may be set going by what is looked at last.
  for (let quiet = 0; quiet < 2; ) {
    const moving = await whatMoves(checkout, orderIds);
    quiet = moving === undefined ? quiet + 1 : 0;
    if (moving === undefined) continue;
    if (performance.now() > untilMs) throw new Error(`not at rest after ${restTimeoutMs} ms: ${moving}`);
    await pause(lookIntervalMs);
  }
  return orderIds;
}

async function orderIdsOf(checkout: Checkout, userId: string): Promise<ReadonlySet<string>> {
  const sql = "SELECT order_id FROM orders WHERE user_id = ?";
  const rows = await checkout.rows<{ order_id: string }>("order", sql, [userId]);
  return new Set(rows.map(({ order_id }) => order_id));
}

async function whatMoves(checkout: Checkout, orderIds: ReadonlySet<string>): Promise<string | undefined> {
  const orders = await checkout.rows<{ order_id: string; state: string }>(
    "order",
    `SELECT orders.order_id, state FROM orders JOIN sagas ON sagas.order_id = orders.order_id
     WHERE state NOT IN ('PAID', 'SHIPPED', 'DELIVERED', 'CANCELLED') OR next_attempt_at IS NOT NULL`,
  );
  for (const { order_id, state } of orders) if (orderIds.has(order_id)) return `order ${order_id}, ${state}`;
  const payments = await checkout.rows<{ order_id: string; state: string; wanted: string; requested_at: Date }>(
    "payment",
    "SELECT order_id, state, wanted, requested_at FROM payments WHERE next_attempt_at IS NOT NULL",
  );
  for (const { order_id, state, wanted, requested_at } of payments) {
    if (!orderIds.has(order_id)) continue;
    const arrived = Date.now() - requested_at.getTime() < requestTimeoutMs || (await checkout.hasHeardOf(order_id));
    // A request that has never arrived is given up after five minutes. Nothing can come of it, the order being cancelled.
    if (state !== "PENDING" || wanted !== "VOID" || arrived) return `payment of ${order_id}, ${state}`;
  }
  const isWanted = (orderId: string) => orderIds.has(orderId);
  return await expectEventsToBeHandled(checkout, checkout.has, isWanted).then(() => undefined, String);
}
