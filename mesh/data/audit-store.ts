import { type Audit, type AuditEntry, type AuditStore, createAudited } from "../telemetry/audit.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Database } from "./queryable.ts";

/** The audit's table: `migrate({ component: "weft_audit", directory: auditMigrations, ... })`. */
export const auditMigrations = new URL("./audit-migrations/", import.meta.url);

/** How long actions are kept: a year, and time for an auditor to come round. */
const retentionDays = 400;
const purgeCountMax = 100;
const maxId = 0x7fff_ffff_ffff_ffffn;

/** Creates the audit of a service that has a schema; its table is that of `auditMigrations`. */
export function createAudit(deps: { readonly database: Database; readonly telemetry: Telemetry }): Audit {
  const { database, telemetry } = deps;
  const store: AuditStore = {
    async begin({ peer, claimedOperator, action, target, dryRun, reason, traceId }) {
      await database.execute(
        "audit.purge",
        "DELETE FROM weft_audit WHERE began_at < UTC_TIMESTAMP(3) - INTERVAL ? DAY ORDER BY began_at LIMIT ?",
        [retentionDays, purgeCountMax],
      );
      const { insertId } = await database.execute(
        "audit.begin",
        `INSERT INTO weft_audit (peer, claimed_operator, began_at, action, target, dry_run, reason, failed, trace_id)
         VALUES (?, ?, UTC_TIMESTAMP(3), ?, ?, ?, ?, FALSE, ?)`,
        [peer, claimedOperator, action, target, dryRun, reason, traceId],
      );
      return insertId;
    },
    async end(id, outcome, failed) {
      await database.execute(
        "audit.end",
        "UPDATE weft_audit SET ended_at = UTC_TIMESTAMP(3), outcome = ?, failed = ? WHERE id = ?",
        [outcome, failed, id],
      );
    },
  };
  return {
    audited: createAudited(store, telemetry),
    async list({ beforeId = maxId, limit }) {
      const rows = await database.query<AuditRow>(
        "audit.list",
        `SELECT id, peer, claimed_operator, began_at, ended_at, action, target, dry_run, reason, outcome, failed, trace_id
         FROM weft_audit WHERE id < ? ORDER BY id DESC LIMIT ?`,
        [beforeId, limit],
      );
      return rows.map(toEntry);
    },
  };
}

interface AuditRow {
  readonly id: string;
  readonly peer: string;
  readonly claimed_operator: string;
  readonly began_at: Date;
  readonly ended_at: Date | null;
  readonly action: string;
  readonly target: string;
  readonly dry_run: number;
  readonly reason: string;
  readonly outcome: string | null;
  readonly failed: number;
  readonly trace_id: string;
}

function toEntry(row: AuditRow): AuditEntry {
  return {
    id: BigInt(row.id),
    peer: row.peer,
    claimedOperator: row.claimed_operator,
    beganAt: row.began_at,
    endedAt: row.ended_at ?? undefined,
    action: row.action,
    target: row.target,
    dryRun: Number(row.dry_run) === 1,
    reason: row.reason,
    outcome: row.outcome ?? "",
    failed: Number(row.failed) === 1,
    traceId: row.trace_id,
  };
}
