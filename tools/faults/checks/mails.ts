import type { MailBooks, Opening, OutboxFact } from "./facts.ts";
import type { Finding } from "./finding.ts";

/**
 * One confirmation for each order that was confirmed, and none for another. As notification promises: a row for the event, SENT; a
 * mail with the event's Message-ID. A crash between SMTP's yes and the commit may send the same Message-ID again, so copies of
 * one are one; two Message-IDs for one order are two confirmations.
 */
export function checkConfirmations(
  { messages, mails, mailsSinceMs }: MailBooks,
  outbox: readonly OutboxFact[],
  opening: Pick<Opening, "orders">,
): Finding[] {
  const invariant = "one confirmation for each confirmed order";
  const findings: Finding[] = [];
  const sent = new Map(
    messages.filter(({ channel }) => channel === "EMAIL").map((message) => [message.eventId, message]),
  );
  const received = new Set(mails.map(({ messageId }) => messageId));
  const confirmed = new Set<string>();
  for (const { type, eventId, aggregateId: subject } of outbox) {
    if (type !== "shop.order.v1.OrderConfirmed" || opening.orders.has(subject)) continue;
    confirmed.add(subject);
    const { state, sentMs = Number.POSITIVE_INFINITY } = sent.get(eventId) ?? {};
    if (state !== "SENT") {
      const detail = state === undefined ? "nobody wants to tell the customer" : `its confirmation is ${state}`;
      findings.push({ invariant, kind: state === "QUEUED" ? "unresolved" : "lost", subject, detail });
    } else if (sentMs >= mailsSinceMs && !received.has(`<${eventId}@weft.local>`)) {
      findings.push({ invariant, kind: "lost", subject, detail: "its confirmation is SENT, and has not arrived" });
    }
  }
  const tellings = Map.groupBy(
    mails.filter(({ subject }) => subject.endsWith(" is confirmed")),
    ({ subject }) => /ord_\w+/.exec(subject)?.[0] ?? subject,
  );
  for (const [subject, all] of tellings) {
    const ids = new Set(all.map(({ messageId }) => messageId)).size;
    if (ids > 1) findings.push({ invariant, kind: "duplicated", subject, detail: `${ids} confirmations have arrived` });
    if (!confirmed.has(subject) && !opening.orders.has(subject)) {
      findings.push({ invariant, kind: "wrong", subject, detail: "a confirmation has arrived, and it never was" });
    }
  }
  return findings;
}
