import type { Transact } from "@weft/mesh/data";
import { decide, type Order, type OrderState } from "./domain.ts";
import { type OrderUnit, orderNotFound } from "./usecases.ts";

export interface FulfilmentDeps {
  readonly orders: {
    /** Runs work in one transaction: `transact`'s if that is given, which runs it once for each idempotency key. */
    change(work: (unit: OrderUnit) => Promise<Order>, transact?: Transact<Order>): Promise<Order>;
  };
  /** Makes what the change left to do begin at once. */
  readonly wakeSagas: () => void;
}

/**
 * Cancels a customer's own order: what is authorized is given back by payment, what is held or sold by inventory. An order that
 * is cancelled already, whatever for, is returned as it is.
 *
 * @throws ConnectError NOT_FOUND also for another customer's; FAILED_PRECONDITION once it is SHIPPED
 */
export async function cancelOrder(
  deps: FulfilmentDeps,
  input: { readonly orderId: string; readonly userId: string },
  transact?: Transact<Order>,
): Promise<Order> {
  const cancelled = await deps.orders.change(async (unit) => {
    const order = await unit.load(input.orderId);
    if (order === undefined || order.userId !== input.userId) throw orderNotFound(input.orderId);
    if (order.state === "CANCELLED") return order;
    return await unit.append(order, decide(order, { type: "customerCancelled" }));
  }, transact);
  deps.wakeSagas();
  return cancelled;
}

/**
 * The parcel has left, of whichever customer. Again with the same number is answered as before.
 *
 * @throws ConnectError NOT_FOUND; FAILED_PRECONDITION if it is not PAID, or has left with another number
 */
export async function shipOrder(
  deps: FulfilmentDeps,
  input: { readonly orderId: string; readonly trackingNumber: string },
  transact?: Transact<Order>,
): Promise<Order> {
  const { orderId, trackingNumber } = input;
  return await deps.orders.change(async (unit) => {
    const order = await unit.load(orderId);
    if (order === undefined) throw orderNotFound(orderId);
    if (order.trackingNumber !== "" && order.trackingNumber === trackingNumber) return order;
    return await unit.append(order, decide(order, { type: "shipped", trackingNumber }));
  }, transact);
}

/** The parcel has arrived. Again is answered as before. @throws ConnectError NOT_FOUND; FAILED_PRECONDITION if it is not SHIPPED */
export async function deliverOrder(deps: FulfilmentDeps, orderId: string, transact?: Transact<Order>): Promise<Order> {
  return await deps.orders.change(async (unit) => {
    const order = await unit.load(orderId);
    if (order === undefined) throw orderNotFound(orderId);
    if (order.state === "DELIVERED") return order;
    return await unit.append(order, decide(order, { type: "delivered" }));
  }, transact);
}

/** A place in the list of the orders in a state: after this one. */
export interface InStatePosition {
  readonly since: Date;
  readonly orderId: string;
}

export interface InStateQuery {
  readonly state: OrderState;
  /** Otherwise those first that have been in it longest. */
  readonly newestFirst: boolean;
  /** Undefined: from the first. */
  readonly after: InStatePosition | undefined;
  readonly limit: number;
}

export interface ListInStateDeps {
  readonly fulfilment: {
    inState(query: InStateQuery): Promise<Order[]>;
  };
}

/** Orders on a page if nobody says. */
const pageSizeDefault = 20;

/** A page of the orders in a state, of all customers; next is what to give as `after` for the one after, undefined on the last. */
export async function listOrdersInState(
  deps: ListInStateDeps,
  input: Omit<InStateQuery, "limit"> & { readonly pageSize: number },
): Promise<{ orders: Order[]; next: InStatePosition | undefined }> {
  const { pageSize, ...query } = input;
  const size = pageSize || pageSizeDefault;
  // One more than asked for tells whether there is a page after this one.
  const found = await deps.fulfilment.inState({ ...query, limit: size + 1 });
  const orders = found.slice(0, size);
  const last = orders.at(-1);
  if (found.length <= size || last === undefined) return { orders, next: undefined };
  return { orders, next: { since: last.history.at(-1)?.enteredAt ?? new Date(0), orderId: last.orderId } };
}
