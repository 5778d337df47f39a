import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { currentCall } from "../context/call-context.ts";
import type {
  EventOperations,
  ProjectionStatus,
  ReplayProgress,
  RepublishProgress,
  VerifyProgress,
} from "../contract/event-operations.ts";
import {
  type EventService,
  type ProjectionSchema,
  ReplayPhase,
  type ReplayProjectionResponseSchema,
  type VerifyEventsResponseSchema,
} from "../gen/weft/admin/v1/events_pb.ts";
import type { Audited } from "../telemetry/audit.ts";
import { streamProgress } from "./stream-progress.ts";

const republishedMax = 100_000;
const problemsMaxDefault = 100;

const phases: Readonly<Record<ReplayProgress["phase"], ReplayPhase>> = {
  filling: ReplayPhase.FILLING,
  "catching up": ReplayPhase.CATCHING_UP,
  swapping: ReplayPhase.SWAPPING,
  finishing: ReplayPhase.FINISHING,
  done: ReplayPhase.DONE,
};

/** EventService over what a service can do with its events. */
export function createEventAdmin(
  events: EventOperations,
  audited: Audited,
  requireOperator: () => void,
): ServiceImpl<typeof EventService> {
  return {
    async listProjections() {
      requireOperator();
      return { projections: (await events.projections()).map(toProjection) };
    },

    async *replayProjection({ projection, reason }) {
      requireOperator();
      const outcome = ({ done, rows, removed }: ReplayProgress) => `${done} events, ${rows} rows, ${removed} removed`;
      const run = (report: (progress: ReplayProgress) => void) =>
        audited("ReplayProjection", projection, () => events.replay(projection, caller(), report), { reason, outcome });
      for await (const { value } of streamProgress(run)) yield toReplayProgress(value);
    },

    async *republishEvents({ since, until, subject, limit, dryRun, reason }) {
      requireOperator();
      const filter = {
        since: since && timestampDate(since),
        until: until && timestampDate(until),
        subject,
        limit: limit || republishedMax,
        dryRun,
      };
      const outcome = (result: RepublishProgress) =>
        `${result.events} events${result.more ? ", and there are more" : ""}`;
      const run = (report: (progress: RepublishProgress) => void) =>
        audited("RepublishEvents", targetOf(filter), () => events.republish(filter, report), {
          dryRun,
          reason,
          outcome,
        });
      for await (const { value, isLast } of streamProgress(run)) {
        yield { events: BigInt(value.events), more: value.more, done: isLast };
      }
    },

    async *verifyEvents({ problemsMax }) {
      requireOperator();
      let told = 0;
      for await (const { value, isLast } of streamProgress((report: (progress: VerifyProgress) => void) =>
        events.verify(problemsMax || problemsMaxDefault, report),
      )) {
        const problems = value.problems.slice(told);
        told += problems.length;
        yield toVerifyProgress({ ...value, problems }, isLast);
      }
    },
  };
}

/** "spiffe://weft.local/operator", and the person behind it as he calls himself. */
function caller(): string {
  const call = currentCall();
  const peer = call?.peer ?? "somebody";
  return call?.claimedOperator ? `${peer}/${call.claimedOperator}` : peer;
}

function targetOf({
  since,
  until,
  subject,
}: {
  since: Date | undefined;
  until: Date | undefined;
  subject: string;
}): string {
  const range = `${since?.toISOString() ?? "the oldest"} to ${until?.toISOString() ?? "now"}`;
  return `${subject === "" ? "all subjects" : subject}, ${range}`;
}

function toProjection(status: ProjectionStatus): MessageInitShape<typeof ProjectionSchema> {
  const { replaying, replayed, tables, ...rest } = status;
  return {
    ...rest,
    tables: [...tables],
    ...(replaying && { replaying: replaying.by, replayingSince: timestampFromDate(replaying.at) }),
    ...(replayed && { replayedBy: replayed.by, replayedAt: timestampFromDate(replayed.at) }),
  };
}

function toReplayProgress(progress: ReplayProgress): MessageInitShape<typeof ReplayProjectionResponseSchema> {
  const { phase, done, total, eventsPerSecond, rows, removed } = progress;
  return {
    phase: phases[phase],
    done: BigInt(done),
    total: BigInt(total),
    eventsPerSecond,
    rows: BigInt(rows),
    removed: BigInt(removed),
  };
}

function toVerifyProgress(
  progress: VerifyProgress,
  finished: boolean,
): MessageInitShape<typeof VerifyEventsResponseSchema> {
  const { table, done, total, problemCount, problems } = progress;
  return {
    table,
    done: BigInt(done),
    total: BigInt(total),
    problemCount: BigInt(problemCount),
    problems: [...problems],
    finished,
  };
}
