import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { headers } from "nats";
import { SCHEMA_OWNERS } from "../dev/stack/environment.ts";
import { untilAtRest } from "./at-rest.ts";
import type { Finding } from "./checks/finding.ts";
import { checkReplay } from "./checks/replay.ts";
import type { StreamMessage, Truth } from "./truth.ts";

/** Columns that say when something is to be tried again and by whom: they move while nothing happens. */
const scheduling = [
  "next_attempt_at",
  "lease_owner",
  "lease_until",
  "lease_token",
  "attempts",
  "failures",
  "last_error",
  "claimed_until",
  "traceparent",
  "dirty",
];
/** Tables of timers. */
const timers = ["analytics.jobs"];
/** Rows that time moves: a payment of a cancelled order that never reached the provider is given up five minutes after it was asked for. */
const movedByTime: Readonly<Record<string, string>> = {
  "payment.payments":
    "(state = 'PENDING' AND wanted = 'VOID') OR (state = 'VOIDED' AND reason = 'never reached the payment provider')",
};
const steadyTimeoutMs = 20_000;

/** Tells all events again but those among the dead letters, each under a message id that the broker does not know, and says which tables have changed. */
export async function replayStream(truth: Truth, timeoutMs: number): Promise<{ events: number; findings: Finding[] }> {
  const messages: StreamMessage[] = [];
  // What a consumer has given up would take minutes to be given up again.
  const buried = new Set((await truth.deadLetters()).map(({ eventId }) => eventId));
  for await (const message of truth.streamEvents()) {
    if (!buried.has(message.headers.get("Nats-Msg-Id"))) messages.push(message);
  }
  const before = await steadyChecksums(truth);
  await truth.publish(messages.map(underNewId));
  const { moving } = await untilAtRest(truth, timeoutMs);
  const after = await steadyChecksums(truth);
  const findings = checkReplay(before, after);
  if (moving !== undefined) {
    findings.push({ invariant: "replay changes nothing", kind: "unresolved", subject: "stream", detail: moving });
  }
  return { events: messages.length, findings };
}

/** The event's id, which inboxes know, stays in its envelope. */
function underNewId({
  subject,
  data,
  headers: old,
}: StreamMessage): Pick<StreamMessage, "subject" | "data" | "headers"> {
  const own = headers();
  for (const [name, values] of old) for (const value of values) own.append(name, value);
  own.set("Nats-Msg-Id", `replay-${randomUUID()}`);
  return { subject, data, headers: own };
}

/** Checksums that two looks agree on: roll-ups and the like may still be at it. */
async function steadyChecksums(truth: Truth): Promise<ReadonlyMap<string, string>> {
  const untilMs = performance.now() + steadyTimeoutMs;
  for (let last = await readChecksums(truth); ; ) {
    await pause(500);
    const next = await readChecksums(truth);
    if (checkReplay(last, next).length === 0 || performance.now() > untilMs) return next;
    last = next;
  }
}

/** A checksum of each table's rows, in whatever order. */
export async function readChecksums(truth: Pick<Truth, "rows">): Promise<ReadonlyMap<string, string>> {
  const checksums = new Map<string, string>();
  for (const service of SCHEMA_OWNERS) {
    const columns = await truth.rows<{ table_name: string; column_name: string }>(
      service,
      `SELECT table_name AS table_name, column_name AS column_name FROM information_schema.columns
       WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position`,
    );
    for (const [table, own] of Map.groupBy(columns, ({ table_name }) => table_name)) {
      const name = `${service}.${table}`;
      if (timers.includes(name)) continue;
      const values = own
        .filter(({ column_name }) => !scheduling.includes(column_name))
        .map(({ column_name }) => `COALESCE(HEX(\`${column_name}\`), 'NULL')`);
      const [row] = await truth.rows<{ rows: string; sum: string }>(
        service,
        `SELECT COUNT(*) AS \`rows\`, COALESCE(SUM(CRC32(CONCAT_WS('/', ${values.join(", ")}))), 0) AS sum FROM \`${table}\`
         WHERE NOT COALESCE(${movedByTime[name] ?? "FALSE"}, FALSE)`,
      );
      checksums.set(name, `${row?.rows} rows, ${row?.sum}`);
    }
  }
  return checksums;
}
