import {
  DeadLetterService,
  RedriveOutcome,
  RedriveOutcomeSchema,
} from "@weft/mesh/gen/weft/admin/v1/dead_letters_pb.js";
import { Command } from "commander";
import { connect } from "../connect.ts";
import { CliFailure, exitCodes, usageFailure } from "../failure.ts";
import { parseCount, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import { enumName } from "../proto-text/values.ts";
import { callUnary } from "../wire/unary.ts";
import { withHints } from "./ask-services.ts";
import { letterToJson } from "./dlq-letter.ts";
import { cut, type FilterOptions, hintsOf, parseLetterId, toFilter, withFilter } from "./dlq-options.ts";

interface ActionOptions extends FilterOptions {
  all?: boolean;
  dryRun?: boolean;
  reason?: string;
}

const limitMax = 1_000;
/** As long as the contract lets a call take. */
const timeoutMs = 120_000;

/** `weft dlq redrive` */
export function redriveLetters(io: Io): Command {
  return withSelection(withCommonOptions(new Command("redrive")))
    .description("hand dead letters to the service's own handlers once more; those that have their effect are removed")
    .option("--reason <text>", "why, for the audit")
    .option("--dry-run", "only say what would become of them")
    .action(async (service: string, ids: bigint[], options: ActionOptions) => {
      const request = { ...selectionOf(ids, options), dryRun: options.dryRun ?? false, reason: options.reason ?? "" };
      using channel = await connect(io, service, options);
      const { letters, more, stoppedBecause } = await withHints(hintsOf(service), () =>
        callUnary(channel, DeadLetterService.method.redriveDeadLetters, request, timeoutMs),
      );
      const rows = letters.map(({ letterId, subject, outcome, detail, kept }) => ({
        letterId: String(letterId),
        subject,
        outcome: enumName(RedriveOutcomeSchema, outcome).replace("REDRIVE_OUTCOME_", ""),
        kept,
        detail,
      }));
      if (rows.length > 0 || options.output === "json") {
        printRows(io, options.output, rows, {
          letter: (row) => row.letterId,
          subject: (row) => row.subject || "-",
          outcome: (row) => row.outcome,
          detail: (row) => cut(row.detail),
        });
      }
      tell(io, options, {
        service,
        done: countsOf(rows.map(({ outcome }) => outcome.toLowerCase())),
        more,
        stoppedBecause,
      });
      const failed = letters.filter(({ outcome }) => outcome === RedriveOutcome.FAILED).length;
      if (failed === 0) return;
      const what = options.dryRun
        ? "would fail"
        : failed === 1
          ? "has failed again and stays"
          : "have failed again and stay";
      const hint = `\`weft dlq show ${service} <letter>\` shows one; once the cause is mended, redrive again`;
      throw new CliFailure(exitCodes.callFailed, `${failed} of ${letters.length} ${what}`, { hint });
    });
}

/** `weft dlq discard` */
export function discardLetters(io: Io): Command {
  return withSelection(withCommonOptions(new Command("discard")))
    .description("remove dead letters for good: their effect will never be")
    .requiredOption("--reason <text>", "why, for the audit")
    .option("--dry-run", "only say which")
    .action(async (service: string, ids: bigint[], options: ActionOptions) => {
      const request = { ...selectionOf(ids, options), dryRun: options.dryRun ?? false, reason: options.reason ?? "" };
      using channel = await connect(io, service, options);
      const { letters, goneIds, more, stoppedBecause } = await withHints(hintsOf(service), () =>
        callUnary(channel, DeadLetterService.method.discardDeadLetters, request, timeoutMs),
      );
      if (letters.length > 0 || options.output === "json") {
        printRows(io, options.output, letters.map(letterToJson), {
          letter: (row) => row.letterId,
          subject: (row) => row.subject,
          cause: (row) => cut(row.cause),
        });
      }
      const done = countsOf([...letters.map(() => "discarded"), ...goneIds.map(() => "gone")]);
      tell(io, options, { service, done, more, stoppedBecause });
    });
}

function withSelection(command: Command): Command {
  return withFilter(
    command
      .argument("<service>", "name on the mesh: order")
      .argument("[letters...]", "their numbers, as `weft dlq list` shows them", (value, before: bigint[] = []) => [
        ...before,
        parseLetterId(value),
      ]),
  )
    .option("--all", "all of the service")
    .option("--limit <count>", "letters at most, unless they are numbered (default: 100)", parseCount(limitMax));
}

/** Which letters: numbers, or a filter, and never all of them because somebody has forgotten to say which. */
function selectionOf(ids: readonly bigint[] = [], options: ActionOptions) {
  const { all, limit = 0 } = options;
  const filter = toFilter(options);
  const hasFilter = Object.keys(filter).length > 0;
  if (ids.length > 0) {
    if (hasFilter || all)
      throw usageFailure("letters are named by number or by a filter, not both", "leave one of them out");
    return { which: { case: "ids" as const, value: { letterIds: [...ids] } } };
  }
  if (!hasFilter && !all) {
    throw usageFailure("which letters?", "name their numbers, or --subject, --since, --cause, or --all of them");
  }
  return { which: { case: "filter" as const, value: filter }, limit };
}

function tell(
  io: Io,
  options: ActionOptions,
  end: { readonly service: string; readonly done: string; readonly more: boolean; readonly stoppedBecause: string },
): void {
  if (options.output === "text") io.stdout(`${end.done}${options.dryRun ? " (dry run: nothing is changed)" : ""}\n`);
  if (end.stoppedBecause !== "") io.stderr(`weft: stopped before the end: ${end.stoppedBecause}\n`);
  if (end.more) io.stderr(`weft: ${end.service} may have more of them; run it again, or with a higher --limit\n`);
}

function countsOf(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ") || "no letters match";
}
