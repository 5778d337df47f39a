import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type AuditEntry, AuditService } from "@weft/mesh/gen/weft/admin/v1/audit_pb.js";
import { Command } from "commander";
import { connect } from "../connect.ts";
import { type CommonOptions, parseCount, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import type { Channel } from "../wire/channel.ts";
import { callUnary } from "../wire/unary.ts";
import { withHints } from "./ask-services.ts";

const limitDefault = 50;
const limitMax = 10_000;
const pageSizeMax = 500;

/** `weft audit SERVICE` */
export function auditCommand(io: Io): Command {
  return withCommonOptions(new Command("audit"))
    .description("what operators did to a service: who, when, why, and what became of it; newest first")
    .argument("<service>", "name on the mesh: order")
    .option("--limit <count>", "actions at most", parseCount(limitMax), limitDefault)
    .action(async (service: string, options: CommonOptions & { limit: number }) => {
      using channel = await connect(io, service, options);
      const hints = { UNIMPLEMENTED: `${service} has no schema to keep one in: what operators do is in its log` };
      const rows = await withHints(hints, () => listAll(channel, options.limit));
      if (rows.length === 0 && options.output === "text") {
        io.stdout(`no operator has changed anything at ${service}\n`);
        return;
      }
      printRows(io, options.output, rows, {
        began: (row) => row.beganAt,
        who: (row) => row.claimedOperator || row.peer,
        action: (row) => (row.dryRun ? `${row.action} (dry run)` : row.action),
        target: (row) => row.target,
        outcome: (row) =>
          row.endedAt === undefined ? "not ended" : row.failed ? `FAILED ${row.outcome}` : row.outcome,
        reason: (row) => row.reason || "-",
        trace: (row) => row.traceId || "-",
      });
    });
}

/** Page after page, up to the limit. */
async function listAll(channel: Channel, limit: number) {
  const entries: AuditEntry[] = [];
  let pageToken = "";
  do {
    const request = { pageToken, pageSize: Math.min(limit - entries.length, pageSizeMax) };
    const page = await callUnary(channel, AuditService.method.listAudit, request);
    entries.push(...page.entries);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && entries.length < limit);
  return entries.map(toRow);
}

function toRow(entry: AuditEntry) {
  const { entryId, peer, claimedOperator, beganAt, endedAt, action, target, dryRun, reason, outcome, failed, traceId } =
    entry;
  return {
    entryId: String(entryId),
    beganAt: beganAt ? timestampDate(beganAt).toISOString() : "-",
    ...(endedAt && { endedAt: timestampDate(endedAt).toISOString() }),
    ...{ peer, claimedOperator, action, target, dryRun, reason, outcome, failed, traceId },
  };
}
