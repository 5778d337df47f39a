import type { Operation } from "../client-log.ts";
import type { Opening, OrderBooks, OrderFact } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** States in which nothing more is to come by itself. */
export const finalStates: readonly string[] = ["PAID", "SHIPPED", "DELIVERED", "CANCELLED"];

/** What a client was told is there, in the state that it was told, and comes to an end. */
export function checkAcknowledged(operations: readonly Operation[], { orders, orderEvents }: OrderBooks): Finding[] {
  const byId = new Map(orders.map((order) => [order.orderId, order]));
  const states = statesReached(orderEvents);
  const answered = operations.filter(({ outcome, kind }) => outcome === "ok" && kind === "placeOrder");
  const findings: Finding[] = answered.flatMap(({ id, orderId, userId, state }): Finding[] => {
    const order = byId.get(orderId ?? "");
    const subject = orderId ?? id;
    const invariant = "acknowledged orders exist";
    if (order === undefined) return [{ invariant, kind: "lost", subject, detail: `${id} was answered ${state}` }];
    if (order.userId !== userId) {
      return [{ invariant, kind: "wrong", subject, detail: `is ${order.userId}'s, and ${userId} has placed it` }];
    }
    if (state === undefined || states.get(order.orderId)?.has(state)) return [];
    return [{ invariant, kind: "wrong", subject, detail: `was answered ${state}, and has never been that` }];
  });
  return [...findings, ...checkCancellations(operations, byId)];
}

function checkCancellations(operations: readonly Operation[], orders: ReadonlyMap<string, OrderFact>): Finding[] {
  return operations
    .filter(({ outcome, kind }) => outcome === "ok" && kind === "cancelOrder")
    .flatMap(({ orderId: subject = "" }): Finding[] => {
      const state = orders.get(subject)?.state;
      if (state === "CANCELLED") return [];
      const detail = `its cancellation was acknowledged, and it is ${state ?? "not there"}`;
      return [{ invariant: "acknowledged cancellations hold", kind: "lost", subject, detail }];
    });
}

/** Every order is in a final state: to be asked once it had the time to get there. */
export function checkFinal({ orders }: Pick<OrderBooks, "orders">): Finding[] {
  return orders
    .filter(({ state }) => !finalStates.includes(state))
    .map(({ orderId: subject, state }) => {
      return { invariant: "orders come to an end", kind: "unresolved", subject, detail: `is ${state}` };
    });
}

/** However often and at how many instances a customer asks with one key, there is one order for it, and none without a key. */
export function checkKeys(operations: readonly Operation[], { orders }: Pick<OrderBooks, "orders">): Finding[] {
  const invariant = "one order for each key";
  const placed = operations.filter(({ kind }) => kind === "placeOrder");
  const answers = Map.groupBy(
    placed.filter(({ orderId }) => orderId !== undefined),
    ({ userId, key }) => `${userId} ${key}`,
  );
  const findings: Finding[] = [...answers].flatMap(([subject, all]): Finding[] => {
    const ids = new Set(all.map(({ orderId }) => orderId));
    if (ids.size < 2) return [];
    return [{ invariant, kind: "duplicated", subject, detail: `was answered with ${[...ids].join(", ")}` }];
  });
  const keysOf = Map.groupBy(
    placed.filter((operation) => !isRefused(operation)),
    ({ userId }) => userId,
  );
  const ordersOf = Map.groupBy(orders, ({ userId }) => userId);
  for (const [userId, all] of keysOf) {
    const keys = new Set(all.map(({ key }) => key)).size;
    const count = ordersOf.get(userId)?.length ?? 0;
    if (count <= keys) continue;
    findings.push({ invariant, kind: "duplicated", subject: userId, detail: `${keys} keys have made ${count} orders` });
  }
  return findings;
}

/** What was not answered happened wholly or not at all: key, order, events and saga are there together. */
export function checkWhole(operations: readonly Operation[], books: OrderBooks, opening: Opening): Finding[] {
  const invariant = "unknown is all or nothing";
  const unknown = new Set(
    operations.filter(({ outcome }) => outcome === "unknown").map(({ userId, key }) => `${userId} ${key}`),
  );
  const present = {
    order: new Set(books.orders.map(({ orderId }) => orderId)),
    events: new Set(books.orderEvents.map(({ orderId }) => orderId)),
    saga: new Set(books.sagas),
    key: new Set(books.keys.map(({ orderId }) => orderId)),
  };
  const all = new Set(Object.values(present).flatMap((ids) => [...ids]));
  const keyOf = new Map(books.keys.map(({ orderId, userId, key }) => [orderId, `${userId} ${key}`]));
  return [...all]
    .filter((orderId) => !opening.orders.has(orderId))
    .flatMap((subject): Finding[] => {
      const missing = Object.entries(present).flatMap(([what, ids]) => (ids.has(subject) ? [] : [what]));
      if (missing.length === 0) return [];
      const whose = unknown.has(keyOf.get(subject) ?? "") ? "its client was not answered" : "its client was answered";
      return [{ invariant, kind: "wrong", subject, detail: `has no ${missing.join(", no ")}; ${whose}` }];
    });
}

/** What was refused has left nothing. */
export function checkRefused(operations: readonly Operation[], { keys }: Pick<OrderBooks, "keys">): Finding[] {
  const orders = new Map(keys.map(({ userId, key, orderId }) => [`${userId} ${key}`, orderId]));
  return operations.flatMap((operation): Finding[] => {
    const { kind, userId, key, code } = operation;
    const subject = orders.get(`${userId} ${key}`);
    if (kind !== "placeOrder" || !isRefused(operation) || subject === undefined) return [];
    return [{ invariant: "refused is absent", kind: "wrong", subject, detail: `is there, and was refused: ${code}` }];
  });
}

/** At the first attempt: after more than one nobody can say which of them was refused. */
function isRefused({ outcome, attempts = 1 }: Operation): boolean {
  return outcome === "refused" && attempts <= 1;
}

function statesReached(events: OrderBooks["orderEvents"]): ReadonlyMap<string, ReadonlySet<string>> {
  const states = new Map<string, Set<string>>();
  for (const { orderId, type } of events) {
    const own = states.get(orderId) ?? new Set();
    states.set(orderId, own.add(stateAfter(type) ?? ""));
  }
  return states;
}

const stateByType: Readonly<Record<string, string>> = {
  OrderPlaced: "PLACED",
  OrderReserved: "RESERVED",
  OrderAwaitingPayment: "AWAITING_PAYMENT",
  OrderConfirmed: "CONFIRMED",
  OrderPaid: "PAID",
  OrderShipped: "SHIPPED",
  OrderDelivered: "DELIVERED",
  OrderCancelled: "CANCELLED",
};

/** The state that an event leads to; undefined if it is none of an order's. */
export function stateAfter(type: string): string | undefined {
  return stateByType[type];
}
