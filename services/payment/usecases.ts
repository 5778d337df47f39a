import { Code } from "@connectrpc/connect";
import { currentSignal, runDetached } from "@weft/mesh/context";
import { type Clock, rpcError } from "@weft/mesh/contract";
import {
  type Authorization,
  beginAuthorization,
  type Money,
  nextAction,
  type Payment,
  settleAuthorization,
  settleCapture,
  settleRefund,
  settleVoid,
  wantCapture,
  wantVoid,
} from "./domain.ts";

/** One change of a payment, given what it is now; undefined: nothing changes. Runs inside a transaction, so it does nothing else. */
export type PaymentChange = (payment: Payment | undefined) => Payment | undefined;

export interface Payments {
  get(orderId: string): Promise<Payment | undefined>;
  /**
   * Commits a change together with its event. Returns the payment as it is then. If the reply to its COMMIT is lost, the change is
   * asked again for what there is to change then.
   *
   * @throws ConnectError ABORTED with reason LEASE_LOST if a token is given, and another instance has claimed the payment since
   */
  change(orderId: string, change: PaymentChange, leaseToken?: bigint): Promise<Payment | undefined>;
}

/** The payment provider. Each method rejects with UNAVAILABLE or DEADLINE_EXCEEDED if nobody knows whether it was done. */
export interface Provider {
  /** The same order again is the same authorization. */
  authorize(request: {
    readonly orderId: string;
    readonly amount: Money;
    readonly paymentMethod: string;
  }): Promise<Authorization>;
  /** What became of the order's authorization. Never charges. */
  find(orderId: string): Promise<Authorization>;
  capture(orderId: string, reference: string): Promise<{ type: "captured" } | { type: "refused"; reason: string }>;
  void(orderId: string, reference: string): Promise<"voided" | "captured">;
  /** Returns once all that was captured is given back. */
  refund(orderId: string, reference: string): Promise<void>;
}

export interface PaymentDeps {
  readonly payments: Payments;
  readonly provider: Provider;
  readonly clock: Clock;
}

/** An authorization goes on so long after its caller has left: what was asked of the provider wants to be written down. */
const authorizeTimeoutMs = 10_000;
/** Waits between two questions about an authorization whose outcome is unknown. */
const resolveIntervalMs = { first: 1_000, max: 30_000 };

/**
 * Authorizes an order's total, once. Before the provider is asked, a PENDING payment is committed: whatever happens then, the
 * question can be asked again.
 *
 * @throws ConnectError FAILED_PRECONDITION for another amount or a cancelled order; UNAVAILABLE or DEADLINE_EXCEEDED if the
 * outcome is unknown
 */
export async function authorizePayment(
  deps: PaymentDeps,
  request: { readonly orderId: string; readonly amount: Money; readonly paymentMethod: string },
): Promise<Payment> {
  const { payments, provider, clock } = deps;
  const { orderId } = request;
  const payment = await payments.change(orderId, (known) => beginAuthorization(known, request, new Date(clock.now())));
  if (payment?.state !== "PENDING") return must(payment, orderId);
  const outcome = runDetached({ timeoutMs: authorizeTimeoutMs }, async () => {
    const found = await provider.authorize(request);
    return await payments.change(orderId, (known) => known && settleAuthorization(known, found, new Date(clock.now())));
  });
  const settled = must(await untilCallerLeaves(outcome), orderId);
  if (settled.state === "PENDING") {
    throw rpcError(Code.Unavailable, `the payment provider is still at order ${orderId}`, {
      reason: "OUTCOME_UNKNOWN",
    });
  }
  return settled;
}

/** An order's payment; the provider is asked first about one whose outcome is unknown. @throws ConnectError NOT_FOUND */
export async function getPayment(deps: PaymentDeps, orderId: string): Promise<Payment> {
  const payment = await deps.payments.get(orderId);
  if (payment?.amount === undefined) {
    throw rpcError(Code.NotFound, `no payment was ever attempted for order ${orderId}`, {
      reason: "PAYMENT_NOT_FOUND",
    });
  }
  if (payment.state !== "PENDING") return payment;
  try {
    return (await resolve(deps, orderId)) ?? payment;
  } catch {
    // Still unknown, which is what PENDING says.
    return payment;
  }
}

/**
 * Does what is due for a payment: finds out about an unknown outcome, captures, voids, refunds. Safe to run twice: the provider takes each
 * once, by key. What it has found out it writes only while its lease is the row's last.
 *
 * @returns when to look again, undefined if the last commit has said so
 * @throws what the provider's answer was, if it was none
 */
export async function runPayment(
  deps: PaymentDeps,
  row: { readonly orderId: string; readonly attempts: number; readonly leaseToken: bigint },
): Promise<{ againInMs: number } | undefined> {
  const { payments, provider, clock } = deps;
  const { orderId, attempts, leaseToken } = row;
  const now = () => new Date(clock.now());
  const learn = (settle: (known: Payment) => Payment | undefined) =>
    payments.change(orderId, (known) => known && settle(known), leaseToken);
  for (let payment = await payments.get(orderId); payment !== undefined; ) {
    const { providerReference } = payment;
    switch (nextAction(payment)) {
      case "resolve":
        payment = await resolve(deps, orderId, leaseToken);
        if (payment?.state === "PENDING") return { againInMs: resolveDelayMs(attempts) };
        break;
      case "capture": {
        const outcome = await provider.capture(orderId, providerReference);
        payment = await learn((known) => settleCapture(known, outcome, now()));
        break;
      }
      case "void": {
        const outcome = await provider.void(orderId, providerReference);
        payment = await learn((known) => settleVoid(known, outcome, now()));
        break;
      }
      case "refund":
        await provider.refund(orderId, providerReference);
        payment = await learn((known) => settleRefund(known, now()));
        break;
      case "nothing":
        return undefined;
    }
  }
  return undefined;
}

/** The order is confirmed. */
export async function recordOrderConfirmed(payments: Payments, clock: Clock, orderId: string): Promise<void> {
  await payments.change(orderId, (known) => wantCapture(known, orderId, new Date(clock.now())));
}

/** The order is cancelled. */
export async function recordOrderCancelled(payments: Payments, clock: Clock, orderId: string): Promise<void> {
  await payments.change(orderId, (known) => wantVoid(known, orderId, new Date(clock.now())));
}

/** Asks the provider what became of an authorization, and writes it down. */
async function resolve(
  { payments, provider, clock }: PaymentDeps,
  orderId: string,
  leaseToken?: bigint,
): Promise<Payment | undefined> {
  const found = await provider.find(orderId);
  const learn: PaymentChange = (known) => known && settleAuthorization(known, found, new Date(clock.now()));
  return await payments.change(orderId, learn, leaseToken);
}

function resolveDelayMs(attempts: number): number {
  return Math.min(resolveIntervalMs.max, resolveIntervalMs.first * 2 ** Math.min(attempts - 1, 10));
}

/** Waits for work, but not longer than the caller does; the work goes on. */
async function untilCallerLeaves<T>(work: Promise<T>): Promise<T> {
  const signal = currentSignal();
  if (signal === undefined) return await work;
  const { promise: left, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  try {
    return await Promise.race([work, left]);
  } finally {
    signal.removeEventListener("abort", leave);
    // Nobody may be listening when it fails.
    work.catch(() => {});
  }
}

function must(payment: Payment | undefined, orderId: string): Payment {
  if (payment === undefined) throw rpcError(Code.DataLoss, `the payment of order ${orderId} is gone`);
  return payment;
}
