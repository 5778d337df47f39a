import type { LedgerEntry } from "../../dev/outside/ledger.ts";
import type { MoneyBooks, OrderFact } from "./facts.ts";
import type { Finding } from "./finding.ts";

const paidStates: readonly string[] = ["PAID", "SHIPPED", "DELIVERED"];

/** Of each order is captured and not refunded what its state says; for none twice, for no unknown one. To be asked at rest. */
export function checkMoney({ orders, ledger }: Pick<MoneyBooks, "orders" | "ledger">): Finding[] {
  const entriesOf = Map.groupBy(ledger, ({ reference }) => reference);
  const findings = orders.flatMap((order) => checkOrder(order, entriesOf.get(order.orderId) ?? []));
  const known = new Set(orders.map(({ orderId }) => orderId));
  for (const [subject, entries] of entriesOf) {
    if (known.has(subject)) continue;
    const detail = `the ledger has ${entries.map(({ type }) => type).join(", ")} for an order that is not there`;
    findings.push({ invariant: "no orphan charge", kind: "wrong", subject, detail });
  }
  return findings;
}

function checkOrder(
  { orderId: subject, state, total, currency }: OrderFact,
  entries: readonly LedgerEntry[],
): Finding[] {
  const findings: Finding[] = [];
  const report = (invariant: string, kind: Finding["kind"], detail: string) =>
    findings.push({ invariant, kind, subject, detail });
  const of = (type: LedgerEntry["type"]) => entries.filter((entry) => entry.type === type);
  const sum = (type: LedgerEntry["type"]) => of(type).reduce((sofar, { amount }) => sofar + amount, 0);
  for (const type of ["authorize", "capture", "refund"] as const) {
    if (of(type).length < 2) continue;
    report("no order is charged twice", "duplicated", `${type} ${of(type).length} times`);
  }
  const foreign = entries.find((entry) => entry.currency !== currency);
  if (foreign)
    report("ledger agrees with orders", "wrong", `is in ${currency}, ${foreign.type} in ${foreign.currency}`);
  const kept = sum("capture") - sum("refund");
  const wanted = paidStates.includes(state) ? total : 0;
  if (kept !== wanted) {
    const detail = `is ${state}, of its total of ${total} is ${kept} captured and not refunded`;
    report("ledger agrees with orders", kept > wanted ? "wrong" : "lost", detail);
  }
  const held = sum("authorize") - sum("void") - sum("capture");
  if (state === "CANCELLED" && held !== 0) {
    report("ledger agrees with orders", "wrong", `is CANCELLED, and ${held} stays authorized`);
  }
  return findings;
}

/** What payment has written down is what the provider has done. */
export function checkPayments({ payments, ledger }: Pick<MoneyBooks, "payments" | "ledger">): Finding[] {
  const invariant = "payments agree with the ledger";
  const entriesOf = Map.groupBy(ledger, ({ reference }) => reference);
  const known = new Set(payments.map(({ orderId }) => orderId));
  const findings = payments.flatMap(({ orderId: subject, state }): Finding[] => {
    const done = (entriesOf.get(subject) ?? []).map(({ type }) => type).join(", ");
    const expected = movementsOf[state];
    if (expected?.includes(done)) return [];
    const detail = `is ${state}, the ledger has ${done || "nothing"}`;
    return [{ invariant, kind: state === "PENDING" ? "unresolved" : "wrong", subject, detail }];
  });
  for (const subject of entriesOf.keys()) {
    if (known.has(subject)) continue;
    findings.push({ invariant, kind: "lost", subject, detail: "is in the ledger, and payment does not know of it" });
  }
  return findings;
}

/** What the ledger may have of a payment in a state. A PENDING one of which the provider knows is to be found out. */
const movementsOf: Readonly<Record<string, readonly string[]>> = {
  PENDING: [""],
  AUTHORIZED: ["authorize"],
  DECLINED: [""],
  CAPTURED: ["authorize, capture"],
  REFUNDED: ["authorize, capture, refund"],
  VOIDED: ["", "authorize, void"],
  FAILED: ["authorize", "authorize, void"],
};
