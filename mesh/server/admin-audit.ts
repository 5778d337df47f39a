import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AuditEntrySchema, AuditService } from "../gen/weft/admin/v1/audit_pb.ts";
import type { Audit, AuditEntry } from "../telemetry/audit.ts";
import { createPages } from "./admin-pages.ts";

/** AuditService over a service's audit. */
export function createAuditAdmin(
  audit: Pick<Audit, "list">,
  requireOperator: () => void,
): ServiceImpl<typeof AuditService> {
  const pages = createPages("weft.audit");
  return {
    async listAudit({ pageSize, pageToken }) {
      requireOperator();
      const limit = pages.size(pageSize);
      const [after] = pages.after(pageToken, [/^[1-9][0-9]{0,18}$/]);
      const entries = await audit.list({ beforeId: after === undefined ? undefined : BigInt(after), limit: limit + 1 });
      const page = entries.slice(0, limit);
      const last = entries.length > limit ? page.at(-1) : undefined;
      return { entries: page.map(toMessage), nextPageToken: pages.next(last && [String(last.id)]) };
    },
  };
}

function toMessage(entry: AuditEntry): MessageInitShape<typeof AuditEntrySchema> {
  const { id, beganAt, endedAt, ...rest } = entry;
  return {
    ...rest,
    entryId: id,
    beganAt: timestampFromDate(beganAt),
    ...(endedAt && { endedAt: timestampFromDate(endedAt) }),
  };
}
