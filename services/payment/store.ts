import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import {
  type Database,
  isDuplicateKey,
  leaseLost,
  type Queryable,
  resolveCommit,
  type SqlValue,
  type Transaction,
} from "@weft/mesh/data";
import { nextAction, type Payment, type PaymentState, type Wanted } from "./domain.ts";
import type { DuePayment, SagaAdminDeps } from "./saga-admin.ts";
import type { PaymentChange, Payments } from "./usecases.ts";

export interface PaymentStoreDeps {
  readonly database: Database;
  /** Tells the other services of a new state, in the transaction of the change itself. */
  readonly publish: (tx: Transaction, payment: Payment) => Promise<void>;
  /** Called after a commit that has given the worker something to do at once. */
  readonly onDue: () => void;
  /** W3C traceparent of what is going on, if anything is. */
  readonly traceparent: () => string | undefined;
}

/** How long the resolver leaves a fresh PENDING payment to the request that is under way. */
export const resolveAfterMs = 3_000;

interface PaymentRow {
  readonly order_id: string;
  readonly state: PaymentState;
  readonly wanted: Wanted | null;
  readonly currency_code: string | null;
  readonly amount_minor_units: string | null;
  readonly provider_reference: string;
  readonly reason: string;
  readonly requested_at: Date | null;
  readonly updated_at: Date;
  readonly version: number;
  readonly lease_token: string;
}

interface DueRow extends PaymentRow {
  readonly next_attempt_at: Date | null;
  readonly attempts: number | string;
  readonly failures: number | string;
  readonly last_error: string | null;
  readonly lease_owner: string | null;
  readonly lease_until: Date | null;
  readonly traceparent: string | null;
}

const columns =
  "order_id, state, wanted, currency_code, amount_minor_units, provider_reference, reason, requested_at, updated_at, version, lease_token";

/** Payments in MariaDB or MySQL. */
export function createPaymentStore(
  deps: PaymentStoreDeps,
): Payments & { within(tx: Transaction): Payments; due: SagaAdminDeps["duePayments"] } {
  const { database } = deps;
  return {
    get: (orderId) => get(database, orderId),
    change: (orderId, change, leaseToken) =>
      resolveCommit(() =>
        database.transaction("payment.change", (tx) => changePayment(deps, tx, orderId, change, leaseToken)),
      ),
    /** The same store inside somebody else's transaction. */
    within: (tx) => ({
      get: (orderId) => get(tx, orderId),
      change: (orderId, change) => changePayment(deps, tx, orderId, change),
    }),
    /** Payments as due rows, for operators. */
    async due(orderIds) {
      if (orderIds.length === 0) return [];
      const marks = orderIds.map(() => "?").join(", ");
      const sql = `SELECT ${columns}, next_attempt_at, attempts, failures, last_error, lease_owner, lease_until, traceparent
        FROM payments WHERE order_id IN (${marks})`;
      return (await database.query<DueRow>("payment.selectDuePayments", sql, orderIds)).map(toDuePayment);
    },
  };
}

async function changePayment(
  deps: PaymentStoreDeps,
  tx: Transaction,
  orderId: string,
  change: PaymentChange,
  leaseToken?: bigint,
): Promise<Payment | undefined> {
  const row = await read(tx, orderId, "FOR UPDATE");
  // Locked, so it stays this claim's, or another's, until the commit.
  if (leaseToken !== undefined && BigInt(row?.lease_token ?? 0) !== leaseToken) {
    throw leaseLost("payment.payments", orderId);
  }
  const before = row && toPayment(row);
  const after = change(before);
  if (after === undefined || after === before) return before;
  if (before === undefined) {
    try {
      await insert(deps, tx, after);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      // It has come between the two; now it can be read, and locked.
      return await changePayment(deps, tx, orderId, change, leaseToken);
    }
  } else await update(deps, tx, after, before.version);
  if (before?.state !== after.state) await deps.publish(tx, after);
  const due = dueAt(after);
  if (due !== undefined && due <= after.updatedAt) tx.afterCommit(deps.onDue);
  return after;
}

async function get(from: Queryable, orderId: string): Promise<Payment | undefined> {
  const row = await read(from, orderId, "");
  return row && toPayment(row);
}

async function read(from: Queryable, orderId: string, lock: "" | "FOR UPDATE"): Promise<PaymentRow | undefined> {
  const sql = `SELECT ${columns} FROM payments WHERE order_id = ? ${lock}`;
  const [row] = await from.query<PaymentRow>("payment.selectPayment", sql, [orderId]);
  return row;
}

async function insert(deps: PaymentStoreDeps, tx: Transaction, payment: Payment): Promise<void> {
  await tx.execute(
    "payment.insertPayment",
    `INSERT INTO payments (state, wanted, currency_code, amount_minor_units, provider_reference, reason, requested_at, updated_at,
       version, next_attempt_at, traceparent, order_id, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
    [...values(deps, payment), payment.orderId],
  );
}

async function update(deps: PaymentStoreDeps, tx: Transaction, payment: Payment, version: number): Promise<void> {
  const { affectedRows } = await tx.execute(
    "payment.updatePayment",
    `UPDATE payments SET state = ?, wanted = ?, currency_code = ?, amount_minor_units = ?, provider_reference = ?, reason = ?,
       requested_at = ?, updated_at = ?, version = ?, next_attempt_at = ?, traceparent = COALESCE(?, traceparent), attempts = 0
     WHERE order_id = ? AND version = ?`,
    [...values(deps, payment), payment.orderId, version],
  );
  if (affectedRows !== 1) throw rpcError(Code.Aborted, `the payment of order ${payment.orderId} has changed meanwhile`);
}

function values({ traceparent }: PaymentStoreDeps, payment: Payment): SqlValue[] {
  return [
    payment.state,
    payment.wanted ?? null,
    payment.amount?.currencyCode ?? null,
    payment.amount?.minorUnits ?? null,
    payment.providerReference,
    payment.reason,
    payment.requestedAt ?? null,
    payment.updatedAt,
    payment.version,
    dueAt(payment) ?? null,
    traceparent() ?? null,
  ];
}

function dueAt(payment: Payment): Date | undefined {
  const action = nextAction(payment);
  if (action === "nothing") return undefined;
  const delayMs = action === "resolve" && payment.wanted === undefined ? resolveAfterMs : 0;
  return new Date(payment.updatedAt.getTime() + delayMs);
}

function toPayment(row: PaymentRow): Payment {
  const { currency_code: currencyCode, amount_minor_units: amount } = row;
  return {
    orderId: row.order_id,
    state: row.state,
    wanted: row.wanted ?? undefined,
    amount: currencyCode === null || amount === null ? undefined : { currencyCode, minorUnits: BigInt(amount) },
    providerReference: row.provider_reference,
    reason: row.reason,
    requestedAt: row.requested_at ?? undefined,
    updatedAt: row.updated_at,
    version: Number(row.version),
  };
}

function toDuePayment(row: DueRow): DuePayment {
  return {
    ...{ payment: toPayment(row), dueAt: row.next_attempt_at ?? undefined },
    ...{ attempts: Number(row.attempts), failures: Number(row.failures), lastError: row.last_error ?? "" },
    ...{ leaseOwner: row.lease_owner ?? "", leaseUntil: row.lease_until ?? undefined },
    traceId: row.traceparent?.split("-")[1] ?? "",
  };
}
