import type { Money, OrderState } from "./domain.ts";

/** An order as the history shows it. */
export interface OrderSummary {
  readonly orderId: string;
  readonly state: OrderState;
  readonly total: Money;
  /** Of all lines. */
  readonly itemCount: number;
  readonly placedAt: Date;
}

/** Where a page of a customer's history begins, and how long it is. */
export interface HistoryQuery {
  readonly userId: string;
  /** Only orders placed before this one; undefined: from the newest. */
  readonly before: string | undefined;
  readonly limit: number;
}

export interface HistoryDeps {
  /** The truth: newest first. */
  readonly history: { fromOrders(query: HistoryQuery): Promise<OrderSummary[]> };
}

/** Orders on a page if nobody says. */
export const pageSizeDefault = 20;

/** A page of a customer's orders, newest first; next is what to give as `before` for the one after, undefined on the last. */
export async function listOrders(
  deps: HistoryDeps,
  input: { readonly userId: string; readonly before: string | undefined; readonly pageSize: number },
): Promise<{ orders: OrderSummary[]; next: string | undefined }> {
  const { userId, before } = input;
  const size = input.pageSize || pageSizeDefault;
  // One more than asked for tells whether there is a page after this one.
  const found = await deps.history.fromOrders({ userId, before, limit: size + 1 });
  const orders = found.slice(0, size);
  return { orders, next: found.length > size ? orders.at(-1)?.orderId : undefined };
}
