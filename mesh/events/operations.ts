import type { DescFile } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { type Clock, systemClock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import type { EventOperations, ProjectionStatus } from "../contract/event-operations.ts";
import type { Database } from "../data/queryable.ts";
import type { Outbox } from "./outbox.ts";
import { freshName, isRebuildable, type Projection } from "./projection.ts";
import { isReplaying, replayProjection } from "./replay.ts";
import { republish } from "./republish.ts";
import { readTableNote } from "./table-status.ts";
import { type EventTable, outboxEvents, verifyEvents } from "./verify.ts";

export interface EventOperationsOptions {
  readonly database: Database;
  /** Of a service that publishes. */
  readonly outbox?: Pick<Outbox, "wake">;
  readonly projections?: readonly Projection[];
  /** Tables of events beside the outbox. */
  readonly tables?: readonly EventTable[];
  /** The contracts of the events that it keeps. */
  readonly files?: readonly DescFile[];
  readonly clock?: Clock;
}

/** Creates what operators can do with the events of a service that keeps some. */
export function createEventOperations(options: EventOperationsOptions): EventOperations {
  const { database, outbox, projections = [], tables = [], files = [], clock = systemClock } = options;
  return {
    projections: () => Promise.all(projections.map((projection) => statusOf(database, projection, clock))),

    async replay(name, by, report) {
      const projection = projections.find((candidate) => candidate.name === name);
      if (projection === undefined) throw unknown(name, projections);
      if (isRebuildable(projection)) return await replayProjection({ database, clock }, projection, by, report);
      const message = `${name} cannot be made anew: ${projection.notRebuildableBecause}`;
      throw rpcError(Code.FailedPrecondition, message, { reason: "NOT_REBUILDABLE", domain: "weft" });
    },

    async republish(filter, report) {
      if (outbox === undefined) {
        const message = "this service publishes nothing through an outbox";
        throw rpcError(Code.FailedPrecondition, message, { reason: "NO_OUTBOX", domain: "weft" });
      }
      return await republish({ database, outbox }, filter, report);
    },

    verify: (problemsMax, report) =>
      verifyEvents(database, { tables: [...tables, outboxEvents], files, problemsMax }, report),
  };
}

async function statusOf(database: Database, projection: Projection, clock: Clock): Promise<ProjectionStatus> {
  const table = projection.tables[0]?.name ?? "";
  const isRunning = await isReplaying(database, projection.name);
  const replaying = isRunning ? ((await readTableNote(database, freshName(table))) ?? {}) : undefined;
  const replayed = await readTableNote(database, table);
  return {
    name: projection.name,
    tables: projection.tables.map(({ name }) => name),
    source: isRebuildable(projection) ? projection.source : "",
    notRebuildableBecause: isRebuildable(projection) ? "" : projection.notRebuildableBecause,
    // Without a note: it has begun a moment ago.
    replaying: replaying && { by: replaying.by ?? "somebody", at: replaying.at ?? new Date(clock.now()) },
    replayed:
      replayed?.by === undefined || replayed.at === undefined ? undefined : { by: replayed.by, at: replayed.at },
  };
}

function unknown(name: string, projections: readonly Projection[]) {
  const names = projections.map((projection) => projection.name).join(", ");
  const message = `there is no projection ${name} here${names === "" ? "" : `; there are: ${names}`}`;
  return rpcError(Code.NotFound, message, { reason: "PROJECTION_UNKNOWN", domain: "weft" });
}
