import { ConnectError } from "@connectrpc/connect";
import { type Clock, errorReason } from "@weft/mesh/contract";
import { createDueRowsWorker, type Database, type DueRowsWorker } from "@weft/mesh/data";
import type { Telemetry } from "@weft/mesh/telemetry";
import {
  copyScores,
  type LeaderboardDeps,
  moveWindow,
  type PurgeStore,
  purge,
  type RollUpDeps,
  repeat,
  rollUpFacts,
} from "./usecases.ts";

export interface JobsDeps extends RollUpDeps, LeaderboardDeps {
  readonly database: Database;
  readonly rows: PurgeStore;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** How far the sums are behind the events, about. A roll-up costs the same few statements for one fact and for hundreds. */
const pollIntervalMs = 500;
const redisRetryMs = 1_000;
const purgeIntervalMs = 3_600_000;

/**
 * The background work, one row of the table `jobs` each: whichever instance comes first does it, under a lease. The jobs are apart so
 * that sums go on while Redis is away.
 */
export function startJobs(deps: JobsDeps): DueRowsWorker {
  const { database, telemetry, clock } = deps;

  /** Each answers with when it is due again; 0: at the next look, in pollIntervalMs. */
  const jobs: Readonly<Record<string, () => Promise<number>>> = {
    "roll-up": async () => {
      await repeat(() => rollUpFacts(deps));
      await repeat(() => moveWindow(deps));
      return 0;
    },
    leaderboard: async () => {
      try {
        await repeat(() => copyScores(deps));
        return 0;
      } catch (error) {
        if (!(error instanceof ConnectError) || errorReason(error) !== "REDIS_UNAVAILABLE") throw error;
        // No failure of the job's: the connection has said so, once, and the scores wait.
        return redisRetryMs;
      }
    },
    purge: async () => {
      await repeat(() => purge(deps));
      return purgeIntervalMs;
    },
  };

  return createDueRowsWorker({
    name: "analytics.jobs",
    ...{ database, telemetry, clock, pollIntervalMs },
    table: "jobs",
    keyColumn: "name",
    backoffMs: { first: 500, max: 5_000 },
    async run({ key, attempts }) {
      const job = jobs[key];
      if (job === undefined) return undefined;
      const againInMs = await job();
      if (attempts > 1) {
        await database.execute("analytics.jobDone", "UPDATE jobs SET attempts = 0 WHERE name = ?", [key]);
      }
      return { againInMs };
    },
  });
}
