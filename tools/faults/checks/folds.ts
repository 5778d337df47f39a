import type { OrderBooks, OrderEventFact, OrderFact, OutboxFact } from "./facts.ts";
import type { Finding } from "./finding.ts";
import { stateAfter } from "./orders.ts";

/** README.md of the order service: what may follow what. Told here a second time, so that the product is not its own judge. */
const followers: Readonly<Record<string, readonly string[]>> = {
  PLACED: ["RESERVED", "CANCELLED"],
  RESERVED: ["CONFIRMED", "AWAITING_PAYMENT", "CANCELLED"],
  AWAITING_PAYMENT: ["CONFIRMED", "CANCELLED"],
  CONFIRMED: ["PAID", "CANCELLED"],
  PAID: ["SHIPPED", "CANCELLED"],
  SHIPPED: ["DELIVERED"],
  DELIVERED: [],
  CANCELLED: [],
};

/** An order as its events tell it. */
interface Folded {
  readonly state: string;
  readonly version: number;
  readonly total: number;
  readonly currency: string;
  readonly itemCount: number;
}

/** Each order's events are without gap, lead from state to state as the table says, and make the row and the read model. */
export function checkFolds(books: Pick<OrderBooks, "orders" | "orderEvents" | "history">): Finding[] {
  const eventsOf = Map.groupBy(books.orderEvents, ({ orderId }) => orderId);
  const rows = new Map(books.orders.map((order) => [order.orderId, order]));
  const history = new Map(books.history.map((entry) => [entry.orderId, entry]));
  const findings: Finding[] = [];
  for (const [orderId, events] of eventsOf) {
    const { folded, findings: own } = fold(orderId, events);
    findings.push(...own);
    findings.push(...differences("orders are the fold of their events", orderId, folded, rowOf(rows.get(orderId))));
    findings.push(...differences("order history is the fold of events", orderId, folded, history.get(orderId)));
  }
  for (const orderId of [...rows.keys(), ...history.keys()]) {
    if (eventsOf.has(orderId)) continue;
    const detail = "has no event";
    findings.push({ invariant: "orders are the fold of their events", kind: "wrong", subject: orderId, detail });
  }
  return findings;
}

function fold(orderId: string, unsorted: readonly OrderEventFact[]) {
  const findings: Finding[] = [];
  const wrong = (invariant: string, detail: string) =>
    findings.push({ invariant, kind: "wrong", subject: orderId, detail });
  const events = unsorted.toSorted((a, b) => a.version - b.version);
  let state: string | undefined;
  for (const [index, { version, type }] of events.entries()) {
    if (version !== index + 1) wrong("versions are without gap", `version ${version} is the ${index + 1}th`);
    const next = stateAfter(type);
    const allowed = state === undefined ? ["PLACED"] : followers[state];
    if (next === undefined || !allowed?.includes(next)) {
      wrong("orders move as the state table says", `${type} came when it was ${state ?? "not there"}`);
    }
    state = next ?? state;
  }
  const placed = events[0];
  const lines = placed?.lines ?? [];
  const total = placed?.total ?? 0;
  const sum = lines.reduce((sofar, { price, quantity }) => sofar + price * quantity, 0);
  if (sum !== total) wrong("orders are the fold of their events", `its lines cost ${sum}, its total is ${total}`);
  const itemCount = lines.reduce((sofar, { quantity }) => sofar + quantity, 0);
  const folded: Folded = {
    ...{ state: state ?? "", version: events.length, total },
    ...{ currency: placed?.currency ?? "", itemCount },
  };
  return { folded, findings };
}

function rowOf(order: OrderFact | undefined): Folded | undefined {
  if (order === undefined) return undefined;
  return { ...order, itemCount: order.lines.reduce((sum, { quantity }) => sum + quantity, 0) };
}

function differences(invariant: string, subject: string, events: Folded, found: Folded | undefined): Finding[] {
  if (found === undefined) return [{ invariant, kind: "lost", subject, detail: "has events, and is not there" }];
  const fields = ["state", "version", "total", "currency", "itemCount"] as const;
  return fields
    .filter((field) => events[field] !== found[field])
    .map((field) => {
      return {
        invariant,
        kind: "wrong",
        subject,
        detail: `${field} is ${found[field]}, its events say ${events[field]}`,
      };
    });
}

/** What order tells the others is what happened: each event but OrderReserved, which stays inside, is in the outbox, once. */
export function checkOrderOutbox(
  { orderEvents }: Pick<OrderBooks, "orderEvents">,
  outbox: readonly OutboxFact[],
  isWanted: (orderId: string) => boolean = () => true,
): Finding[] {
  const invariant = "outbox agrees with order events";
  const name = (orderId: string, version: number, type: string) => `${orderId} ${version} ${type}`;
  const told = outbox
    .filter(({ owner, aggregateId }) => owner === "order" && isWanted(aggregateId))
    .map(({ aggregateId, version, type }) => name(aggregateId, version, type.slice(type.lastIndexOf(".") + 1)));
  const happened = orderEvents
    .filter(({ orderId, type }) => type !== "OrderReserved" && isWanted(orderId))
    .map(({ orderId, version, type }) => name(orderId, version, type));
  const counts = Map.groupBy(told, (each) => each);
  const known = new Set(happened);
  return [
    ...happened
      .filter((each) => !counts.has(each))
      .map((subject): Finding => ({ invariant, kind: "lost", subject, detail: "happened, and nobody is told" })),
    ...[...counts.keys()]
      .filter((each) => !known.has(each))
      .map((subject): Finding => ({ invariant, kind: "wrong", subject, detail: "is told, and has not happened" })),
    ...[...counts]
      .filter(([, all]) => all.length > 1)
      .map(
        ([subject, all]): Finding => ({
          invariant,
          kind: "duplicated",
          subject,
          detail: `is told ${all.length} times`,
        }),
      ),
  ];
}
