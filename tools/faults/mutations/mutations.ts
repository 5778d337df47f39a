import type { Edit } from "../launcher/source-mutation.ts";

/** A safety of the shop, turned off in the source of the services that run it. */
export interface Mutation {
  readonly name: string;
  /** What is turned off. */
  readonly what: string;
  /** Edits by the service whose process is started with them. */
  readonly edits: Readonly<Record<string, readonly Edit[]>>;
  /** The invariants that must report it, one at least. */
  readonly caughtBy: readonly string[];
}

const inboxOff: readonly Edit[] = [
  {
    module: "mesh/events/inbox-store.ts",
    find: "ids.flatMap((id) => [consumer, id]),\n      );\n      return affectedRows;",
    replace: "ids.flatMap((id) => [consumer, id]),\n      );\n      return Math.max(affectedRows, ids.length);",
  },
  {
    module: "mesh/events/inbox-store.ts",
    find: "return new Set(rows.map((row) => row.event_id));",
    replace: "return new Set(rows.slice(0, 0).map((row) => row.event_id));",
  },
];

/** Recommendation knows orders that it has counted, too: for its replay, and whatever the inbox says. */
const countedOrdersOff: readonly Edit[] = [
  {
    module: "services/recommendation/store.ts",
    find: "for (const { orderId } of rows) counted.add(orderId);",
    replace: "for (const { orderId } of rows.slice(0, 0)) counted.add(orderId);",
  },
  {
    module: "services/recommendation/store.ts",
    find: '"recommendation.addOrders",\n    `INSERT INTO',
    replace: '"recommendation.addOrders",\n    `INSERT IGNORE INTO',
  },
];

export const mutations: readonly Mutation[] = [
  {
    name: "inbox-off",
    what: "an event that is delivered again has its effect again",
    edits: { recommendation: [...inboxOff, ...countedOrdersOff] },
    caughtBy: ["replay changes nothing", "pairs are those of confirmed orders"],
  },
  {
    name: "idempotency-off",
    what: "a key that stands for an order already is not looked for, and does not hold a second one off",
    edits: {
      order: [
        {
          module: "services/order/usecases.ts",
          find: "if (known !== undefined) return await settled(deps, sameRequest(known, requestHash));",
          replace: "void known;",
        },
        {
          module: "services/order/store.ts",
          find: "if (!(await keys.take(tx, key, requestHash, Buffer.from(orderId)))) {",
          replace: "if (key === undefined) {",
        },
      ],
    },
    caughtBy: ["one order for each key"],
  },
  {
    name: "stock-condition-off",
    what: "stock is looked at and then taken, without a condition in the statement that takes it",
    edits: {
      inventory: [
        {
          module: "services/inventory/store.ts",
          find: `"UPDATE stock SET held = held + ? WHERE sku = ? AND on_hand - held >= ?",
        [quantity, sku, quantity],`,
          replace: `"UPDATE stock SET held = ? WHERE sku = ? AND 1 = ?",
        [await lookAtHeld(tx, sku, quantity), sku, 1],`,
        },
        {
          module: "services/inventory/store.ts",
          find: "/** Stock that the warehouse has at first. */",
          replace: `async function lookAtHeld(tx: Queryable, sku: string, quantity: number): Promise<bigint> {
  const sql = "SELECT on_hand, held FROM stock WHERE sku = ?";
  const [row] = await tx.query<{ on_hand: string; held: string }>("inventory.look", sql, [sku]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { on_hand, held } = row ?? { on_hand: "0", held: "0" };
  // More than there is would be refused by the table's CHECK: it is left as it is.
  return BigInt(held) + BigInt(quantity) > BigInt(on_hand) ? BigInt(held) : BigInt(held) + BigInt(quantity);
}

/** Stock that the warehouse has at first. */`,
        },
      ],
    },
    caughtBy: ["stock adds up", "stock adds up at every moment"],
  },
  {
    name: "saga-lease-off",
    what: "a saga is taken though another instance has it; neither its token nor the order's version keeps one of the two off",
    edits: {
      order: [
        {
          module: "mesh/data/due-rows-table.ts",
          find: "WHERE ${mine}next_attempt_at <= ? AND (lease_until IS NULL OR lease_until <= ?)",
          replace: "WHERE ${mine}next_attempt_at <= ? AND (1 = 1 OR lease_until <= ?)",
        },
        {
          module: "mesh/data/due-rows-table.ts",
          find: "return keys.filter((key) => !held.has(key));",
          replace: "return keys.filter((key) => !held.has(key)).slice(0, 0);",
        },
        {
          module: "services/order/store.ts",
          find: 'leaseToken === undefined ? "" : " AND lease_token = ?";',
          replace: 'leaseToken === undefined ? "" : " AND lease_token >= LEAST(lease_token, ?)";',
        },
        {
          module: "services/order/store.ts",
          find: "WHERE order_id = ? AND version < ?`;\n  const { affectedRows }",
          replace: "WHERE order_id = ? AND 0 < ?`;\n  const { affectedRows }",
        },
        {
          module: "services/order/store.ts",
          find: "const { orderId, version } = next;",
          replace: `const { orderId } = next;
  const [last] = await tx.query<{ version: number | null }>(
    "order.lastVersion",
    "SELECT MAX(version) AS version FROM order_events WHERE order_id = ?",
    [orderId],
  );
  const version = Number(last?.version ?? 0) + 1;`,
        },
      ],
    },
    caughtBy: ["orders are the fold of their events", "orders move as the state table says"],
  },
  {
    name: "compensation-off",
    what: "a cancelled order does not give its stock back",
    edits: {
      order: [
        {
          module: "services/order/saga.ts",
          find: "await deps.inventory.release(order.orderId);",
          replace: "",
        },
      ],
      inventory: [
        {
          module: "services/inventory/events.ts",
          find: "onEvent(OrderCancelledSchema, (tx, { orderId }) => releaseStockIn(tx, deps, orderId)),",
          replace: "onEvent(OrderCancelledSchema, async () => { void releaseStockIn; }),",
        },
      ],
    },
    caughtBy: ["reservations agree with orders"],
  },
  {
    name: "money-back-off",
    what: "a cancelled order does not give its money back",
    edits: {
      payment: [
        {
          module: "services/payment/usecases.ts",
          find: "await payments.change(orderId, (known) => wantVoid(known, orderId, new Date(clock.now())));",
          replace: "void wantVoid;",
        },
      ],
    },
    caughtBy: ["ledger agrees with orders"],
  },
  {
    name: "outbox-outside",
    what: "an event is written outside of the transaction of the change that it tells of",
    edits: {
      order: [
        {
          module: "mesh/events/outbox.ts",
          find: "await store.insert(tx, event, { traceparent, leaseMs });",
          replace: `await database.transaction("outbox.outside", (own) => store.insert(own, event, { traceparent, leaseMs }));`,
        },
      ],
    },
    caughtBy: ["outbox agrees with order events"],
  },
  {
    name: "early-ack",
    what: "an event is acknowledged before its effect is committed",
    edits: {
      inventory: [
        {
          module: "mesh/events/batch.ts",
          find: "  return async (session, batch) => {\n    const work = await readable(session, batch, deps.handlers);",
          replace:
            "  return async (session, batch) => {\n    const work = await readable(session, batch, deps.handlers);\n    for (const { delivery } of work) delivery.ack();",
        },
      ],
    },
    caughtBy: ["events are handled by all who consume them"],
  },
  {
    name: "provider-key-random",
    what: "the provider is asked under another key each time, so that it cannot tell a second request from the first",
    edits: {
      payment: [
        {
          module: "services/payment/provider.ts",
          find: "return `authorize:${orderId}`;",
          replace: "return `authorize:${orderId}:${Math.random()}`;",
        },
      ],
    },
    caughtBy: ["no order is charged twice", "orders come to an end", "ledger agrees with orders"],
  },
];

/** @throws Error naming the mutations that there are */
export function mutationNamed(name: string): Mutation {
  const found = mutations.find((mutation) => mutation.name === name);
  if (found === undefined) throw new Error(`no mutation "${name}": ${mutations.map((each) => each.name).join(", ")}`);
  return found;
}
