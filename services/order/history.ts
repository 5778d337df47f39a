import type { Clock } from "@weft/mesh/contract";
import type { Money, Order, OrderState } from "./domain.ts";

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
  readonly history: {
    /** From the read model, newest first; undefined if that has not seen the last version of every order of the customer's. */
    fromReadModel(query: HistoryQuery): Promise<OrderSummary[] | undefined>;
    /** From the truth, newest first. */
    fromOrders(query: HistoryQuery): Promise<OrderSummary[]>;
  };
  readonly clock: Clock;
  readonly pause: (ms: number) => Promise<unknown>;
}

/** Orders on a page if nobody says. */
export const pageSizeDefault = 20;

/** How long a customer waits for the read model to have seen his last change, and how often it is looked at meanwhile. */
export const watermark = { waitMaxMs: 200, lookIntervalMs: 20 };

/**
 * A page of a customer's orders, newest first; next is what to give as `before` for the one after, undefined on the last. Never
 * without the customer's own last change: if the read model does not catch up in time, the truth is read.
 */
export async function listOrders(
  deps: HistoryDeps,
  input: { readonly userId: string; readonly before: string | undefined; readonly pageSize: number },
): Promise<{ orders: OrderSummary[]; next: string | undefined }> {
  const { userId, before } = input;
  const size = input.pageSize || pageSizeDefault;
  // One more than asked for tells whether there is a page after this one.
  const query = { userId, before, limit: size + 1 };
  const found = (await fromReadModelInTime(deps, query)) ?? (await deps.history.fromOrders(query));
  const orders = found.slice(0, size);
  return { orders, next: found.length > size ? orders.at(-1)?.orderId : undefined };
}

/** An order as the history shows it. */
export function summaryOf(order: Order): OrderSummary {
  const { orderId, state, total, lines, history } = order;
  const itemCount = lines.reduce((sum, { quantity }) => sum + quantity, 0);
  return { orderId, state, total, itemCount, placedAt: history[0]?.enteredAt ?? new Date(0) };
}

async function fromReadModelInTime(
  { history, clock, pause }: HistoryDeps,
  query: HistoryQuery,
): Promise<OrderSummary[] | undefined> {
  const untilMs = clock.monotonic() + watermark.waitMaxMs;
  for (;;) {
    const found = await history.fromReadModel(query);
    if (found !== undefined || clock.monotonic() >= untilMs) return found;
    await pause(watermark.lookIntervalMs);
  }
}
