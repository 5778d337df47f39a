import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import type { Queryable, SqlValue } from "@weft/mesh/data";
import {
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderDeliveredSchema,
  OrderPaidSchema,
  OrderPlacedSchema,
  OrderReservedSchema,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import type { OrderEvent } from "./domain.ts";
import { schemaVersionOf, upcast } from "./upcast.ts";

/** What happened to an order, as it is stored. */
export interface StoredEvent {
  readonly event: OrderEvent;
  readonly occurredAt: Date;
}

/** A row of `order_events` as the driver reads it. */
export interface EventRow {
  readonly order_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly payload: Uint8Array;
  readonly occurred_at: Date;
}

const schemas = new Map<string, DescMessage>(
  [
    OrderPlacedSchema,
    OrderReservedSchema,
    OrderAwaitingPaymentSchema,
    OrderConfirmedSchema,
    OrderPaidSchema,
    OrderShippedSchema,
    OrderDeliveredSchema,
    OrderCancelledSchema,
  ].map((schema) => [schema.typeName, schema]),
);

/** The columns of an EventRow. */
export const storedEventColumns = "order_id, type, schema_version, payload, occurred_at";

/** The columns of `order_events`, in the order of eventValues(). */
export const eventColumns = ["order_id", "version", "type", "schema_version", "payload", "occurred_at"];

export function eventValues(orderId: string, version: number, { event, occurredAt }: StoredEvent): SqlValue[] {
  const type = event.$typeName;
  return [orderId, version, type, schemaVersionOf(type), encodeEvent(event), occurredAt];
}

/** Events of those of the orders that exist, each order's oldest first. */
export async function readEvents(
  from: Queryable,
  orderIds: readonly string[],
): Promise<ReadonlyMap<string, readonly StoredEvent[]>> {
  const found = new Map<string, StoredEvent[]>();
  if (orderIds.length === 0) return found;
  const sql = `SELECT ${storedEventColumns} FROM order_events
    WHERE order_id IN (${orderIds.map(() => "?").join(", ")}) ORDER BY order_id, version`;
  for (const row of await from.query<EventRow>("order.selectEvents", sql, orderIds)) {
    const events = found.get(row.order_id) ?? [];
    found.set(row.order_id, events);
    events.push(toStoredEvent(row));
  }
  return found;
}

/** An order's events after a version, oldest first. */
export async function readEventsAfter(from: Queryable, orderId: string, version: number): Promise<StoredEvent[]> {
  const sql = `SELECT ${storedEventColumns} FROM order_events
    WHERE order_id = ? AND version > ? ORDER BY version`;
  return (await from.query<EventRow>("order.selectEventsAfter", sql, [orderId, version])).map(toStoredEvent);
}

/** An event as `order_events` keeps it. */
export function encodeEvent(event: OrderEvent): Uint8Array {
  return toBinary(schemaOf(event.$typeName), event);
}

/** An event as its row keeps it. @throws ConnectError DATA_LOSS if it is of a type, or a version of one, that nobody knows */
export function toStoredEvent(row: EventRow): StoredEvent {
  const event = fromBinary(schemaOf(row.type), row.payload) as MessageShape<DescMessage> as OrderEvent;
  return { event: upcast(event, Number(row.schema_version)), occurredAt: row.occurred_at };
}

function schemaOf(type: string): DescMessage {
  const schema = schemas.get(type);
  if (schema === undefined) throw rpcError(Code.DataLoss, `an order has an event of an unknown type: ${type}`);
  return schema;
}
