import { createHash } from "node:crypto";
import { Code, type ConnectError } from "@connectrpc/connect";
import { currentCall, currentSignal } from "@weft/mesh/context";
import { type Clock, idempotencyKeyReused, rpcError } from "@weft/mesh/contract";
import type { DueRowsWorker, RowLease } from "@weft/mesh/data";
import type { OrderPlaced } from "../../gen/shop/order/v1/events_pb.ts";
import type { OrderChanges, OrderSubscription } from "./changes.ts";
import { decide, isFinal, isSettled, type Order, type OrderEvent } from "./domain.ts";
import { checkLines, type PricedProduct, priceOrder, type RequestedLine } from "./pricing.ts";

/** A customer's wish, as PlaceOrder gets it. */
export interface PlaceOrderInput {
  readonly userId: string;
  readonly idempotencyKey: string;
  readonly lines: readonly RequestedLine[];
  readonly paymentMethod: string;
}

/** The order that an idempotency key stands for, and the request that it was made from. */
export interface KnownKey {
  readonly orderId: string;
  readonly requestHash: string;
}

export interface ReadOrders {
  get(orderId: string): Promise<Order | undefined>;
}

/** What is committed together with a new order. */
export interface Placing {
  readonly idempotencyKey: string;
  readonly requestHash: string;
  /** Kept only until payment has been asked: a crashed saga must be able to ask again. */
  readonly paymentMethod: string;
  /** This process drives the saga from its birth on. */
  readonly lease: RowLease;
}

export interface PlaceOrderDeps {
  readonly orders: ReadOrders & {
    findKey(userId: string, idempotencyKey: string): Promise<KnownKey | undefined>;
    /** Commits a new order with its key and its saga, unless the key stands for an order already. Returns what it stands for. */
    place(event: OrderPlaced, placing: Placing): Promise<KnownKey>;
  };
  readonly catalog: { prices(skus: readonly string[]): Promise<ReadonlyMap<string, PricedProduct>> };
  readonly changes: OrderChanges;
  readonly clock: Clock;
  /** A new order's id, in the user's bucket. */
  readonly newOrderId: (userId: string) => string;
  /** Drives a saga that was committed with a lease of this process, whatever becomes of the caller. */
  readonly sagas: Pick<DueRowsWorker, "lease" | "runLeased">;
}

/** PlaceOrder answers so long before its caller's deadline, so that the answer still arrives. */
export const answerMarginMs = 200;

/** How long it goes on waiting once a step has failed, an inventory that is away say: for the next attempt, not for an outage to end. */
export const failedStepWaitMs = 1_000;

/** Longest wait for an order to settle where the caller sets no deadline. */
export const settleWaitMaxMs = 5_000;

/**
 * Places an order, once for each key of a user, and waits for it to settle as long as the caller has time and a step has not failed.
 *
 * A caller that leaves before the commit stops it; after the commit the order goes on by itself.
 *
 * @throws ConnectError INVALID_ARGUMENT naming the lines at fault; ALREADY_EXISTS if the key stands for another request
 */
export async function placeOrder(deps: PlaceOrderDeps, input: PlaceOrderInput): Promise<Order> {
  const requestHash = hashRequest(input);
  const known = await deps.orders.findKey(input.userId, input.idempotencyKey);
  if (known !== undefined) return await settled(deps, sameRequest(known, requestHash));

  checkLines(input.lines);
  const products = await deps.catalog.prices(input.lines.map((line) => line.sku));
  const orderId = deps.newOrderId(input.userId);
  const event = priceOrder({ orderId, userId: input.userId, lines: input.lines }, products);
  // From here on a full process may refuse, but only before the commit.
  using subscription = deps.changes.subscribe(orderId, "placing");
  const lease = deps.sagas.lease();
  currentSignal()?.throwIfAborted();

  const { idempotencyKey, paymentMethod } = input;
  const placed = await deps.orders.place(event, { idempotencyKey, requestHash, paymentMethod, lease });
  if (placed.orderId !== orderId) return await settled(deps, sameRequest(placed, requestHash));
  const drive = deps.sagas.runLeased(orderId, lease);
  // Its compensations are part of the answer: who is told of a declined payment may order again at once.
  const untilMs = answerBeforeMs(deps.clock);
  await firstOf(drive, Math.max(0, untilMs - deps.clock.now()), currentSignal());
  const untilNextAttemptMs = deps.clock.now() + failedStepWaitMs;
  return await waitUntilSettled(deps, subscription, orderId, Math.min(untilMs, untilNextAttemptMs));
}

/** One order. @throws ConnectError NOT_FOUND if there is none, or if it is not the given user's (undefined: an operator) */
export async function getOrder(
  deps: { readonly orders: ReadOrders },
  input: { readonly orderId: string; readonly userId: string | undefined },
): Promise<Order> {
  const order = await deps.orders.get(input.orderId);
  if (order === undefined || (input.userId !== undefined && order.userId !== input.userId)) {
    throw orderNotFound(input.orderId);
  }
  return order;
}

/** There is no such order, or it is not for the caller to know of it. */
export function orderNotFound(orderId: string): ConnectError {
  return rpcError(Code.NotFound, `there is no order ${orderId}`, { reason: "ORDER_NOT_FOUND" });
}

/** An order as it is now, then after each change, until it is CANCELLED or DELIVERED or the caller leaves. @throws as getOrder */
export async function* watchOrder(
  deps: { readonly orders: ReadOrders; readonly changes: OrderChanges },
  input: { readonly orderId: string; readonly userId: string | undefined },
): AsyncGenerator<Order> {
  using subscription = deps.changes.subscribe(input.orderId, "watching");
  let order = await getOrder(deps, input);
  yield order;
  while (!isFinal(order)) {
    await subscription.changedSince(order.version, { signal: currentSignal() });
    order = await getOrder(deps, input);
    yield order;
  }
}

/** An order inside somebody else's transaction: the row is locked by load, the events join that transaction. */
export interface OrderUnit {
  load(orderId: string): Promise<Order | undefined>;
  append(order: Order, event: OrderEvent): Promise<Order>;
}

/**
 * The money is ours: CONFIRMED becomes PAID. Of an order that was cancelled while the capture was under way, payment refunds it
 * when it hears OrderCancelled. Money for an order in any other state is for a person to look at.
 */
export async function recordCapture(unit: OrderUnit, orderId: string): Promise<void> {
  const order = await mustLoad(unit, orderId);
  if (["PAID", "SHIPPED", "DELIVERED", "CANCELLED"].includes(order.state)) return;
  await unit.append(order, decide(order, { type: "captured" }));
}

/** The capture is finally refused: CONFIRMED becomes CANCELLED. A refusal before that is the saga's to learn of. */
export async function recordPaymentFailure(unit: OrderUnit, orderId: string, reason: string): Promise<void> {
  const order = await mustLoad(unit, orderId);
  if (order.state !== "CONFIRMED") return;
  await unit.append(order, decide(order, { type: "captureFailed", reason }));
}

async function mustLoad(unit: OrderUnit, orderId: string): Promise<Order> {
  const order = await unit.load(orderId);
  if (order === undefined) throw orderNotFound(orderId);
  return order;
}

async function settled(deps: PlaceOrderDeps, orderId: string): Promise<Order> {
  using subscription = deps.changes.subscribe(orderId, "placing");
  return await waitUntilSettled(deps, subscription, orderId, answerBeforeMs(deps.clock));
}

/** The order once it has settled, or as it is at untilMs. */
async function waitUntilSettled(
  deps: PlaceOrderDeps,
  subscription: OrderSubscription,
  orderId: string,
  untilMs: number,
): Promise<Order> {
  for (;;) {
    const order = await getOrder(deps, { orderId, userId: undefined });
    const timeoutMs = untilMs - deps.clock.now();
    if (isSettled(order) || timeoutMs <= 0) return order;
    await subscription.changedSince(order.version, { timeoutMs, signal: currentSignal() });
  }
}

function answerBeforeMs(clock: Clock): number {
  const deadlineMs = currentCall()?.deadlineMs ?? Number.POSITIVE_INFINITY;
  return Math.min(deadlineMs - answerMarginMs, clock.now() + settleWaitMaxMs);
}

function firstOf(work: Promise<void>, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => end(resolve), timeoutMs);
    const abort = () => end(() => reject(signal?.reason));
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      settle();
    };
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    work.then(() => end(resolve), reject);
  });
}

function sameRequest(known: KnownKey, requestHash: string): string {
  if (known.requestHash === requestHash) return known.orderId;
  throw idempotencyKeyReused("idempotency_key");
}

/** SHA-256 of what the request asks for, in hex. The order of the lines does not matter. */
export function hashRequest(input: Pick<PlaceOrderInput, "lines" | "paymentMethod">): string {
  const lines = input.lines.map(({ sku, quantity }) => [sku, quantity] as const);
  lines.sort(([a, b], [c, d]) => (a === c ? b - d : a < c ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify({ lines, paymentMethod: input.paymentMethod }))
    .digest("hex");
}
