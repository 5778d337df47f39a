import type { SqlValue } from "@weft/mesh/data";
import type { CancelCause, Order, OrderState } from "./domain.ts";
import { foldVersion } from "./fold.ts";

/** A row of the table `orders` as the driver reads it. */
export interface OrderRow {
  readonly order_id: string;
  readonly user_id: string;
  readonly state: OrderState;
  readonly order_lines: string;
  readonly currency_code: string;
  readonly total_minor_units: string;
  readonly cancel_reason: string;
  readonly cancel_cause: CancelCause;
  readonly payment_instructions: string;
  readonly payment_due_at: Date | null;
  readonly tracking_number: string;
  readonly history: string;
  readonly version: number;
  readonly fold_version: number;
}

/** One line inside `order_lines`; its currency is the order's. */
interface LineJson {
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  /** A decimal: JSON's numbers are not exact. */
  readonly unitMinorUnits: string;
}

interface TransitionJson {
  readonly state: OrderState;
  readonly enteredAt: string;
}

/** The columns of `orders`, in the order of orderValues(). */
export const orderColumns = [
  "order_id",
  "bucket",
  "user_id",
  "state",
  "state_since",
  "order_lines",
  "currency_code",
  "total_minor_units",
  "cancel_reason",
  "cancel_cause",
  "payment_instructions",
  "payment_due_at",
  "tracking_number",
  "history",
  "version",
  "fold_version",
];

export function orderValues(order: Order, bucket: number): SqlValue[] {
  const lines = order.lines.map(
    ({ sku, name, quantity, unitPrice }): LineJson => ({
      sku,
      name,
      quantity,
      unitMinorUnits: unitPrice.minorUnits.toString(),
    }),
  );
  const history = order.history.map(
    ({ state, enteredAt }): TransitionJson => ({ state, enteredAt: enteredAt.toISOString() }),
  );
  return [
    order.orderId,
    bucket,
    order.userId,
    order.state,
    order.history.at(-1)?.enteredAt ?? null,
    JSON.stringify(lines),
    order.total.currencyCode,
    order.total.minorUnits,
    order.cancelReason,
    order.cancelCause,
    order.paymentInstructions,
    order.paymentDueAt ?? null,
    order.trackingNumber,
    JSON.stringify(history),
    order.version,
    foldVersion,
  ];
}

/** A row as it is; `readOrder` sees to it that it is what the events say. */
export function toOrder(row: OrderRow): Order {
  const currencyCode = row.currency_code;
  return {
    orderId: row.order_id,
    userId: row.user_id,
    state: row.state,
    lines: (JSON.parse(row.order_lines) as LineJson[]).map(({ sku, name, quantity, unitMinorUnits }) => ({
      sku,
      name,
      quantity,
      unitPrice: { currencyCode, minorUnits: BigInt(unitMinorUnits) },
    })),
    total: { currencyCode, minorUnits: BigInt(row.total_minor_units) },
    cancelReason: row.cancel_reason,
    cancelCause: row.cancel_cause,
    paymentInstructions: row.payment_instructions,
    paymentDueAt: row.payment_due_at ?? undefined,
    trackingNumber: row.tracking_number,
    history: (JSON.parse(row.history) as TransitionJson[]).map(({ state, enteredAt }) => ({
      state,
      enteredAt: new Date(enteredAt),
    })),
    version: Number(row.version),
  };
}
