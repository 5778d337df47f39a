import { create } from "@bufbuild/protobuf";
import { type Clock, systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, idempotencyMigrations, migrate, newId, type RowLease } from "@weft/mesh/data";
import { createTelemetry, type Telemetry } from "@weft/mesh/telemetry";
import { OrderPlacedSchema } from "../../../gen/shop/order/v1/events_pb.ts";
import { testDatabase } from "../../../tools/dev/testing/engines.ts";
import type { Order } from "../domain.ts";
import { createOrderStore, type OrderStore, type OrderStoreDeps } from "../store.ts";

/** Orders on a schema of their own, without the service around them. */
export interface TestOrders extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly store: OrderStore;
  /** Types of the events that others were told of, with the order's version, by order. */
  readonly told: ReadonlyMap<string, readonly string[]>;
  /** A store over another pool on the same schema. */
  storeOn(database: Database): OrderStore;
  /** Places an order of one apple. */
  place(lease?: RowLease): Promise<Order>;
}

/** A lease that nobody else has, and that runs out in an hour. */
export const longLease: RowLease = {
  owner: "test",
  until: new Date(Date.now() + 3_600_000),
  leaseToken: 1n,
  dueAt: new Date(),
  traceparent: null,
};

export async function startTestOrders(clock: Clock = systemClock): Promise<TestOrders> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service: "order", write: () => {} }));
  const schema = resources.use(await testDatabase("order"));
  const database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const { logger } = telemetry;
  await migrate({ database, component: "weft_idempotency", directory: idempotencyMigrations, logger });
  await migrate({ database, component: "order", directory: new URL("../migrations/", import.meta.url), logger });
  const told = new Map<string, string[]>();
  const publish: OrderStoreDeps["publish"] = async (tx, event, version) => {
    const line = `${version} ${event.$typeName.split(".").at(-1)}`;
    tx.afterCommit(() => told.set(event.orderId, [...(told.get(event.orderId) ?? []), line]));
  };
  const storeOn = (on: Database) => createOrderStore({ database: on, clock, publish, onChange: () => {} });
  const store = storeOn(database);
  const stack = resources.move();
  return {
    ...{ url: schema.url, database, telemetry, store, told, storeOn },
    async place(lease = longLease) {
      const orderId = newId("ord", 7, { clock: systemClock, random: Math.random });
      const price = { currencyCode: "EUR", minorUnits: 250n };
      const lines = [{ sku: "apple", name: "Apple", quantity: 1, unitPrice: price }];
      const event = create(OrderPlacedSchema, { orderId, userId: "usr_1", lines, total: price });
      const placing = { idempotencyKey: orderId, requestHash: "0".repeat(64), paymentMethod: "tok_visa", lease };
      await store.place(event, placing);
      return (await store.get(orderId)) as Order;
    },
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
}
