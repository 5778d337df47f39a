import { type Audit, type AuditEntry, createAudited } from "../telemetry/audit.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** An audit in memory. */
export function rememberingAudit(telemetry: Telemetry): Audit & { readonly entries: AuditEntry[] } {
  const entries: AuditEntry[] = [];
  const store = {
    async begin(begun: Omit<AuditEntry, "id" | "beganAt" | "endedAt" | "outcome" | "failed">) {
      const id = BigInt(entries.length + 1);
      entries.push({ ...begun, id, beganAt: new Date(1_000), endedAt: undefined, outcome: "", failed: false });
      return id;
    },
    async end(id: bigint, outcome: string, failed: boolean) {
      const at = entries.findIndex((entry) => entry.id === id);
      entries.splice(at, 1, { ...(entries[at] as AuditEntry), outcome, failed, endedAt: new Date(2_000) });
    },
  };
  const list: Audit["list"] = async ({ beforeId = 1_000n, limit }) =>
    entries
      .filter(({ id }) => id < beforeId)
      .toReversed()
      .slice(0, limit);
  return { audited: createAudited(store, telemetry), list, entries };
}
