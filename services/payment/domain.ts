import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

/** An exact amount: a whole number of the currency's smallest unit. */
export interface Money {
  /** ISO 4217. */
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

export type PaymentState = "PENDING" | "AUTHORIZED" | "DECLINED" | "CAPTURED" | "VOIDED" | "FAILED" | "REFUNDED";

/** What the order's fate asks of its payment. REFUND: the money was taken, and the order is cancelled. */
export type Wanted = "CAPTURE" | "VOID" | "REFUND";

/** An order's payment: one, ever. */
export interface Payment {
  readonly orderId: string;
  readonly state: PaymentState;
  readonly wanted: Wanted | undefined;
  /** Undefined if the order was cancelled before anything was attempted. */
  readonly amount: Money | undefined;
  /** The provider's id of the authorization; empty while unknown. */
  readonly providerReference: string;
  /** Why it was declined or failed. */
  readonly reason: string;
  /** When the provider was last sent the request to authorize. */
  readonly requestedAt: Date | undefined;
  readonly updatedAt: Date;
  /** From 1, one more with each change. */
  readonly version: number;
}

/** What the provider says of an authorization. "absent": it has not seen the request; "processing": it has, and is at it. */
export type Authorization =
  | { readonly status: "authorized" | "captured" | "voided" | "refunded"; readonly reference: string }
  | { readonly status: "declined"; readonly reference: string; readonly reason: string }
  | { readonly status: "processing" | "absent" };

/**
 * How long a request to the provider may still arrive after it was sent. Only after that does "absent" mean that nothing was
 * authorized and nothing will be.
 */
export const requestLifetimeMs = 300_000;

/** The payment with which an authorization begins, or goes on: asking again is safe, the provider's key is the order's. */
export function beginAuthorization(
  payment: Payment | undefined,
  order: { readonly orderId: string; readonly amount: Money },
  now: Date,
): Payment {
  const { orderId, amount } = order;
  if (payment === undefined) {
    const fresh = { wanted: undefined, providerReference: "", reason: "", updatedAt: now, version: 1 };
    return { orderId, state: "PENDING", amount, requestedAt: now, ...fresh };
  }
  const isGivenBack = payment.state === "VOIDED" || payment.state === "REFUNDED";
  if (isGivenBack || payment.wanted === "VOID" || payment.wanted === "REFUND") {
    throw rpcError(Code.FailedPrecondition, `order ${orderId} is cancelled: its payment cannot be authorized`, {
      reason: "ORDER_CANCELLED",
    });
  }
  if (!sameAmount(payment.amount, amount)) {
    throw rpcError(Code.FailedPrecondition, `order ${orderId} has a payment of another amount`, {
      reason: "AMOUNT_DIFFERS",
      violations: [{ field: "amount", description: "is not the amount that this order's payment was begun with" }],
    });
  }
  return payment.state === "PENDING" ? change(payment, now, { requestedAt: now }) : payment;
}

/** Learns what became of the authorization; undefined if there is nothing to learn from it. */
export function settleAuthorization(payment: Payment, found: Authorization, now: Date): Payment | undefined {
  if (reachedTooLate(payment, found)) {
    const { reference: providerReference } = found;
    return change(payment, now, { state: "AUTHORIZED", wanted: "VOID", providerReference, reason: "" });
  }
  if (payment.state !== "PENDING") return undefined;
  switch (found.status) {
    case "authorized":
    case "captured":
      return change(payment, now, { state: "AUTHORIZED", providerReference: found.reference });
    case "voided":
      return change(payment, now, { state: "VOIDED", wanted: undefined, providerReference: found.reference });
    case "refunded":
      return change(payment, now, { state: "REFUNDED", wanted: undefined, providerReference: found.reference });
    case "declined": {
      const { reference: providerReference, reason } = found;
      return change(payment, now, { state: "DECLINED", wanted: undefined, providerReference, reason });
    }
    case "processing":
      return undefined;
    case "absent":
      return payment.wanted === "VOID" && hasExpired(payment, now)
        ? change(payment, now, { state: "VOIDED", wanted: undefined, reason: "never reached the payment provider" })
        : undefined;
  }
}

/** Given up as never sent, and authorized after all: by a process that was frozen before its request for longer than one may take. */
function reachedTooLate(
  payment: Payment,
  found: Authorization,
): found is Extract<Authorization, { status: "authorized" }> {
  return payment.state === "VOIDED" && payment.providerReference === "" && found.status === "authorized";
}

/** Learns that the money is ours, or that it never will be. */
export function settleCapture(
  payment: Payment,
  outcome: { readonly type: "captured" } | { readonly type: "refused"; readonly reason: string },
  now: Date,
): Payment | undefined {
  if (nextAction(payment) !== "capture") return undefined;
  return outcome.type === "captured"
    ? change(payment, now, { state: "CAPTURED", wanted: undefined })
    : change(payment, now, { state: "FAILED", wanted: undefined, reason: outcome.reason });
}

/** Learns that the authorization was given back, or that it turned out to be captured. */
export function settleVoid(payment: Payment, outcome: "voided" | "captured", now: Date): Payment | undefined {
  if (nextAction(payment) !== "void") return undefined;
  return outcome === "voided"
    ? change(payment, now, { state: "VOIDED", wanted: undefined })
    : change(payment, now, { state: "CAPTURED", wanted: "REFUND" });
}

/** Learns that the captured money was given back. */
export function settleRefund(payment: Payment, now: Date): Payment | undefined {
  if (nextAction(payment) !== "refund") return undefined;
  return change(payment, now, { state: "REFUNDED", wanted: undefined });
}

/**
 * The order is confirmed: its money is to be captured. Undefined if that is done, or if the order's cancellation was faster.
 *
 * @throws ConnectError FAILED_PRECONDITION if there is nothing to capture
 */
export function wantCapture(payment: Payment | undefined, orderId: string, now: Date): Payment | undefined {
  const done: readonly (PaymentState | undefined)[] = ["CAPTURED", "FAILED", "VOIDED", "REFUNDED"];
  if (done.includes(payment?.state) || payment?.wanted !== undefined) return undefined;
  if (payment?.state !== "PENDING" && payment?.state !== "AUTHORIZED") {
    const what = payment === undefined ? "no payment" : `a payment that is ${payment.state}`;
    throw rpcError(Code.FailedPrecondition, `order ${orderId} is confirmed but has ${what}`);
  }
  return change(payment, now, { wanted: "CAPTURE" });
}

/**
 * The order is cancelled: what is authorized, or still may be, is to be given back, what is captured refunded. One that has no payment gets a voided one, so
 * that an authorization that comes late is refused. Undefined if there is nothing to do.
 */
export function wantVoid(payment: Payment | undefined, orderId: string, now: Date): Payment | undefined {
  if (payment === undefined) {
    const nothing = { wanted: undefined, amount: undefined, providerReference: "", requestedAt: undefined };
    const reason = "the order was cancelled before its payment was attempted";
    return { orderId, state: "VOIDED", ...nothing, reason, updatedAt: now, version: 1 };
  }
  switch (payment.state) {
    case "PENDING":
    case "AUTHORIZED":
    case "FAILED":
      return payment.wanted === "VOID" ? undefined : change(payment, now, { wanted: "VOID" });
    case "CAPTURED":
      return payment.wanted === "REFUND" ? undefined : change(payment, now, { wanted: "REFUND" });
    default:
      return undefined;
  }
}

/** What the worker has to do next with the provider. */
export function nextAction(payment: Payment): "resolve" | "capture" | "void" | "refund" | "nothing" {
  const { state, wanted } = payment;
  if (state === "PENDING") return "resolve";
  if (state === "AUTHORIZED" && wanted === "CAPTURE") return "capture";
  if ((state === "AUTHORIZED" || state === "FAILED") && wanted === "VOID") return "void";
  if (state === "CAPTURED" && wanted === "REFUND") return "refund";
  return "nothing";
}

function hasExpired(payment: Payment, now: Date): boolean {
  return now.getTime() - (payment.requestedAt?.getTime() ?? 0) > requestLifetimeMs;
}

function sameAmount(a: Money | undefined, b: Money): boolean {
  return a?.currencyCode === b.currencyCode && a.minorUnits === b.minorUnits;
}

function change(payment: Payment, now: Date, what: Partial<Payment>): Payment {
  return { ...payment, ...what, updatedAt: now, version: payment.version + 1 };
}
