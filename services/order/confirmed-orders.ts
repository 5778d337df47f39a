import type { Queryable } from "@weft/mesh/data";
import { type EventPosition, readEventPage } from "./event-pages.ts";
import { toStoredEvent } from "./event-rows.ts";

const confirmed = "shop.order.v1.OrderConfirmed";

/** An order that was confirmed, whatever became of it. */
export interface ConfirmedOrder {
  readonly orderId: string;
  /** Of its lines, in their order. */
  readonly skus: readonly string[];
}

export interface ConfirmedOrdersDeps {
  /** The confirmed orders of one page of all events, and where to read on; undefined after the last. */
  readonly readConfirmed: (
    after: EventPosition | undefined,
  ) => Promise<{ readonly orders: readonly ConfirmedOrder[]; readonly next: EventPosition | undefined }>;
}

export function createReadConfirmed(database: Queryable): ConfirmedOrdersDeps["readConfirmed"] {
  return async (after) => {
    const { rows, next } = await readEventPage(database, after);
    const orders = rows.flatMap((row): ConfirmedOrder[] => {
      if (row.type !== confirmed) return [];
      const { event } = toStoredEvent(row);
      if (event.$typeName !== confirmed) return [];
      return [{ orderId: event.orderId, skus: event.lines.map(({ sku }) => sku) }];
    });
    return { orders, next };
  };
}
