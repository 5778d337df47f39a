import { Code, ConnectError } from "@connectrpc/connect";
import { type Clock, type Random, rpcError } from "@weft/mesh/contract";
import { isLeaseLost } from "@weft/mesh/data";
import {
  askIntervalMs,
  decide,
  type Finding,
  isSettled,
  nextStep,
  type Order,
  type OrderEvent,
  stateSince,
} from "./domain.ts";

/** What payment knows of an order's authorization. */
export type AuthorizationAnswer =
  | { readonly type: "authorized" }
  | { readonly type: "declined"; readonly reason: string }
  | { readonly type: "unknown" };

/** The longest that an order stays in a state that the saga is to move it on from. */
export interface Stays {
  /** PLACED: then it is cancelled. */
  readonly placedTtlMs: number;
  /** RESERVED: then it is not charged any more, but waits until it is known whether it was. */
  readonly reservedTtlMs: number;
  /** AWAITING_PAYMENT: then it is cancelled, unless payment says at that moment that it is paid. */
  readonly awaitingPaymentTtlMs: number;
}

export interface SagaDeps {
  readonly orders: {
    get(orderId: string): Promise<Order | undefined>;
    /** Of an order that is RESERVED. @throws ConnectError ABORTED if it is not any more */
    paymentMethod(orderId: string): Promise<string>;
    /**
     * Commits event, row and the saga's next time together, if the lease is still the one of this token.
     *
     * @throws ConnectError ABORTED: ORDER_CHANGED if the order has changed meanwhile, LEASE_LOST if another instance drives it now
     */
    append(order: Order, event: OrderEvent, leaseToken: bigint): Promise<Order>;
    /** Nothing is left to do, unless the order has changed or the lease gone meanwhile. */
    finishSaga(order: Order, leaseToken: bigint): Promise<void>;
  };
  readonly inventory: {
    /** All lines or none; asked again where it holds them, it says so. */
    reserve(
      order: Order,
    ): Promise<{ readonly type: "reserved" } | { readonly type: "refused"; readonly reason: string }>;
    release(orderId: string): Promise<void>;
  };
  readonly payment: {
    /** Never rejects because payment or its provider is ill: that is "unknown". */
    authorize(order: Order, paymentMethod: string): Promise<AuthorizationAnswer>;
    ask(orderId: string): Promise<AuthorizationAnswer>;
  };
  readonly clock: Clock;
  readonly random: Random;
  readonly stays: Stays;
}

/** One run of an order's saga. */
export interface SagaRun {
  readonly orderId: string;
  readonly attempts: number;
  readonly leaseToken: bigint;
}

/** How often a run starts over because somebody else has moved the order meanwhile. */
const conflictsMax = 5;

/**
 * Checkout: drives an order from the state it is in as far as it goes now. Every step may be run again, by any instance: reservation,
 * authorization and release are idempotent by order id, so a run that was frozen past its lease does no harm by asking. What it has
 * found out it cannot commit: the lease's token admits one run, the event's version one writer.
 *
 * @returns when to look again, or undefined if the last commit has said so
 * @throws what the failing step threw: the saga stays as it is and is run again later
 */
export async function runSaga(deps: SagaDeps, saga: SagaRun): Promise<{ againInMs: number } | undefined> {
  let known: Order | undefined;
  for (let conflicts = 0; ; ) {
    const order = known ?? (await deps.orders.get(saga.orderId));
    known = undefined;
    if (order === undefined) throw rpcError(Code.DataLoss, `saga without an order: ${saga.orderId}`);
    try {
      const found = await takeStep(deps, order, saga.attempts);
      if (found === "finished") {
        await deps.orders.finishSaga(order, saga.leaseToken);
        return undefined;
      }
      if ("againInMs" in found) return found;
      const next = await deps.orders.append(order, decide(order, found), saga.leaseToken);
      if (isSettled(next) && nextStep(next) !== "release") return undefined;
      // What was committed a moment ago; if somebody has moved it on since, the next commit says so.
      known = next;
    } catch (error) {
      conflicts += 1;
      if (!isConflict(error) || conflicts >= conflictsMax) throw error;
    }
  }
}

async function takeStep(
  deps: SagaDeps,
  order: Order,
  attempts: number,
): Promise<Finding | { againInMs: number } | "finished"> {
  switch (nextStep(order)) {
    case "reserve": {
      if (hasStayed(order, deps.stays.placedTtlMs, deps.clock)) return { type: "reservationExpired" };
      const answer = await deps.inventory.reserve(order);
      return answer.type === "reserved" ? { type: "stockReserved" } : { type: "stockRefused", reason: answer.reason };
    }
    case "authorize": {
      if (hasStayed(order, deps.stays.reservedTtlMs, deps.clock)) return waitForPayment(deps, order);
      const answer = await deps.payment.authorize(order, await deps.orders.paymentMethod(order.orderId));
      return answer.type === "unknown" ? waitForPayment(deps, order) : answer;
    }
    case "askPayment":
      return await askPayment(deps, order, attempts);
    case "release":
      await deps.inventory.release(order.orderId);
      return "finished";
    case "nothing":
      return "finished";
  }
}

/** Only asks: the customer may be paying another way, so authorizing again is not the saga's to decide. */
async function askPayment(deps: SagaDeps, order: Order, attempts: number): Promise<Finding | { againInMs: number }> {
  const answer = await deps.payment.ask(order.orderId);
  if (answer.type !== "unknown") return answer;
  const restMs = (order.paymentDueAt?.getTime() ?? 0) - deps.clock.now();
  if (restMs <= 0) return { type: "paymentExpired" };
  const { first, max } = askIntervalMs;
  const backoffMs = Math.min(max, first * 2 ** Math.min(attempts, 10)) * (0.5 + deps.random() / 2);
  return { againInMs: Math.min(backoffMs, restMs) };
}

function waitForPayment(deps: SagaDeps, order: Order): Finding {
  const dueAt = new Date(deps.clock.now() + deps.stays.awaitingPaymentTtlMs);
  const instructions =
    `We could not find out whether your payment went through. Your order is kept until ${dueAt.toISOString()}. ` +
    "If the payment went through, the order is confirmed by itself; if not, it is cancelled then and nothing is charged. " +
    `Please do not order again. To pay another way, contact us and name the order ${order.orderId}.`;
  return { type: "authorizationUnknown", instructions, dueAt };
}

function hasStayed(order: Order, ttlMs: number, clock: Clock): boolean {
  return clock.now() - stateSince(order).getTime() >= ttlMs;
}

function isConflict(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Aborted && !isLeaseLost(error);
}
