import { type Database, insertRows } from "@weft/mesh/data";
import { nextAction, type Payment } from "./domain.ts";

/** Writes payments that are settled; those that are there stay as they are. @throws Error naming one of which something is still to be done */
export async function seedPayments(database: Database, payments: readonly Payment[]): Promise<void> {
  const open = payments.find((payment) => nextAction(payment) !== "nothing");
  if (open !== undefined) throw new Error(`the payment of ${open.orderId} is not settled: it is ${open.state}`);
  const target = {
    table: "payments",
    columns: [
      ...["order_id", "state", "currency_code", "amount_minor_units", "provider_reference", "reason"],
      ...["requested_at", "updated_at", "version", "attempts"],
    ],
    ending: "ON DUPLICATE KEY UPDATE order_id = payments.order_id",
  };
  const rows = payments.map((payment) => [
    ...[payment.orderId, payment.state, payment.amount?.currencyCode ?? null, payment.amount?.minorUnits ?? null],
    ...[payment.providerReference, payment.reason, payment.requestedAt ?? null, payment.updatedAt, payment.version, 0],
  ]);
  await database.transaction("payment.seedPayments", (tx) => insertRows(tx, "payment.seedPayments", target, rows));
}
