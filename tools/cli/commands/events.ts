import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { EventService, ReplayPhase, ReplayPhaseSchema } from "@weft/mesh/gen/weft/admin/v1/events_pb.js";
import { Command, InvalidArgumentError } from "commander";
import { connect } from "../connect.ts";
import { CliFailure, exitCodes, usageFailure } from "../failure.ts";
import { parseMoment } from "../moments.ts";
import { type CommonOptions, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import { createProgressLine, withThousands as n } from "../progress-line.ts";
import { enumName } from "../proto-text/values.ts";
import type { Channel } from "../wire/channel.ts";
import { listServices } from "../wire/reflection.ts";
import { callServerStream, callUnary } from "../wire/unary.ts";

/** `weft events projections|replay|verify SERVICE` */
export function eventsCommand(io: Io): Command {
  return new Command("events")
    .description("what a service has made of events, and the events that it keeps")
    .addCommand(projectionsCommand(io))
    .addCommand(replayCommand(io))
    .addCommand(verifyCommand(io));
}

function projectionsCommand(io: Io): Command {
  return withCommonOptions(new Command("projections"))
    .description("tables that events have made: from what, who has made them, and which cannot be made again")
    .argument("<service>", "name on the mesh: order")
    .action(async (service: string, options: CommonOptions) => {
      using channel = await connectToKeeper(io, service, options);
      const { projections } = await callUnary(channel, EventService.method.listProjections, {});
      const rows = projections.map(({ replayingSince, replayedAt, $typeName, $unknown, ...rest }) => ({
        ...rest,
        replayingSince: replayingSince && timestampDate(replayingSince).toISOString(),
        replayedAt: replayedAt && timestampDate(replayedAt).toISOString(),
      }));
      if (rows.length === 0 && options.output === "text") {
        io.stdout(`${service} has no projections\n`);
        return;
      }
      printRows(io, options.output, rows, {
        projection: (row) => row.name,
        source: (row) => row.source || "-",
        made: (row) => (row.replayedAt ? `${row.replayedAt} by ${row.replayedBy}` : "as events came"),
        note: (row) => {
          if (row.replaying !== "") return `being made anew by ${row.replaying} since ${row.replayingSince}`;
          return row.notRebuildableBecause && `cannot be made anew: ${row.notRebuildableBecause}`;
        },
      });
    });
}

interface ReplayOptions extends CommonOptions {
  since?: Date;
  until?: Date;
  subject?: string;
  limit?: number;
  dryRun?: boolean;
  reason?: string;
}

function replayCommand(io: Io): Command {
  return withCommonOptions(new Command("replay"))
    .description(
      "with a projection: make it anew and swap it in, while the service works on; without: publish events of the outbox again",
    )
    .argument("<service>", "name on the mesh: order")
    .argument("[projection]", "which, as `weft events projections` lists them")
    .option(
      "--since <time>",
      'events written then or later: "2026-11-22T09:00:00Z", or "2h" for the last two hours',
      parseMoment,
    )
    .option("--until <time>", "events written before", parseMoment)
    .option("--subject <subject>", 'events of this subject: shop.order.v1.OrderPaid, or "shop.order.>"')
    .option("--limit <count>", "events at most (default: 100,000)", parseCount)
    .option("--dry-run", "only count the events")
    .option("--reason <text>", "why, for the audit")
    .action(async (service: string, projection: string | undefined, options: ReplayOptions) => {
      if (projection === undefined) return await republish(io, service, options);
      const of = (["since", "until", "subject", "limit", "dryRun"] as const).find(
        (name) => options[name] !== undefined,
      );
      if (of === undefined) return await replay(io, service, projection, options);
      const option = of === "dryRun" ? "--dry-run" : `--${of}`;
      throw usageFailure(
        `${option} is for publishing again, and a projection is made of all events`,
        `weft events replay ${service} ${projection}`,
      );
    });
}

function parseCount(value: string): number {
  const limit = Number(value.replaceAll(/[,_]/g, ""));
  if (Number.isSafeInteger(limit) && limit > 0 && limit <= 1_000_000) return limit;
  throw new InvalidArgumentError("Write a number from 1 to 1,000,000.");
}

async function replay(io: Io, service: string, projection: string, options: ReplayOptions): Promise<void> {
  using channel = await connectToKeeper(io, service, options);
  const line = createProgressLine(io, options.output);
  const request = { projection, reason: options.reason ?? "" };
  for await (const progress of callServerStream(channel, EventService.method.replayProjection, request)) {
    const { done, total, eventsPerSecond, rows, removed } = progress;
    const phase = enumName(ReplayPhaseSchema, progress.phase)
      .replace("REPLAY_PHASE_", "")
      .toLowerCase()
      .replace("_", " ");
    const speed = `${n(Math.round(eventsPerSecond))} events/s`;
    const json = {
      phase,
      done: Number(done),
      total: Number(total),
      eventsPerSecond: Math.round(eventsPerSecond),
      rows: Number(rows),
      removed: Number(removed),
    };
    if (progress.phase === ReplayPhase.DONE) {
      const gone = removed === 0n ? "" : `; ${n(removed)} rows that no event explains are gone`;
      line.end(`${projection}: made anew of ${n(done)} events, ${n(rows)} rows, ${speed}${gone}`, json);
    } else
      line.show(
        `${projection}: ${phase}, ${n(done)} of ${progress.phase === ReplayPhase.FILLING ? "about " : ""}${n(total)} events, ${speed}`,
        { done, total },
        json,
      );
  }
}

async function republish(io: Io, service: string, options: ReplayOptions): Promise<void> {
  if (options.since === undefined && options.until === undefined && options.subject === undefined) {
    throw usageFailure(
      "say which events: --since, --until, --subject; or which projection",
      `weft events projections ${service} lists the projections`,
    );
  }
  if (options.since && options.until && options.since >= options.until) {
    throw usageFailure("--since is not before --until");
  }
  using channel = await connectToKeeper(io, service, options);
  const line = createProgressLine(io, options.output);
  const { since, until, subject = "", limit = 0, dryRun = false, reason = "" } = options;
  const range = {
    ...(since && { since: timestampFromDate(since) }),
    ...(until && { until: timestampFromDate(until) }),
  };
  const request = { ...range, subject, limit, dryRun, reason };
  const did = dryRun ? "would be published again" : "published again";
  for await (const { events, done, more } of callServerStream(channel, EventService.method.republishEvents, request)) {
    const json = { events: Number(events), more, dryRun };
    if (!done) line.show(`${service}: ${n(events)} events ${did}`, undefined, json);
    else line.end(`${service}: ${n(events)} events ${did}${more ? "; there are more than the limit" : ""}`, json);
  }
}

interface VerifyOptions extends CommonOptions {
  problems?: number;
}

function verifyCommand(io: Io): Command {
  return withCommonOptions(new Command("verify"))
    .description(
      "read all stored events with the service's present code, and list those that it cannot read without loss",
    )
    .argument("<service>", "name on the mesh: order")
    .option("--problems <count>", "problems that are listed at most (default: 100)", parseCount)
    .action(async (service: string, options: VerifyOptions) => {
      using channel = await connectToKeeper(io, service, options);
      const line = createProgressLine(io, options.output);
      const request = { problemsMax: Math.min(options.problems ?? 0, 1_000) };
      let found = 0n;
      for await (const progress of callServerStream(channel, EventService.method.verifyEvents, request)) {
        const { done, total, problemCount, problems, finished, table } = progress;
        found = problemCount;
        for (const { table: where, event, type, problem } of problems) {
          line.print(`${where} ${event}, ${type}: ${problem}`, { table: where, event, type, problem });
        }
        const json = { done: Number(done), problems: Number(problemCount) };
        if (finished)
          line.end(`${service}: ${n(done)} stored events, ${n(problemCount)} cannot be read without loss`, json);
        else
          line.show(
            `${service}: ${table}, ${n(done)} of about ${n(total)} events, ${n(problemCount)} problems`,
            { done, total },
            json,
          );
      }
      if (found > 0n) {
        throw new CliFailure(exitCodes.callFailed, `${n(found)} stored events cannot be read without loss`, {
          hint: "their contracts have changed: put back what is missing, and see tools/check/README.md",
        });
      }
    });
}

/** Connects to a service that keeps events; one that does not has no EventService, and is told apart from one that is older. */
async function connectToKeeper(io: Io, service: string, options: CommonOptions): Promise<Channel> {
  const channel = await connect(io, service, options);
  if ((await listServices(channel)).includes(EventService.typeName)) return channel;
  channel[Symbol.dispose]();
  throw new CliFailure(exitCodes.callFailed, `${service} keeps no events`, {
    hint: `\`weft list ${service}\` shows what it has`,
  });
}
