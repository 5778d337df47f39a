import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { type TestDatabase, testDatabase } from "../../tools/dev/testing/engines.ts";
import { currentCall, currentSignal } from "../context/call-context.ts";
import { errorReason } from "../contract/errors.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { createDatabase } from "./database.ts";
import { createDueRowsWorker, type DueRow, type DueRowsOptions } from "./due-rows.ts";
import { readBacklog } from "./due-rows-table.ts";
import { leaseLost } from "./lease-lost.ts";
import type { Database } from "./queryable.ts";

let schema: TestDatabase;
let database: Database;
const lines: string[] = [];
const telemetry = createTelemetry({ service: "test", write: (line) => lines.push(line) });

beforeAll(async () => {
  schema = await testDatabase("due_rows");
  database = createDatabase({ url: schema.url, telemetry });
  await database.execute(
    "test.createJobs",
    `CREATE TABLE jobs (id VARCHAR(64) PRIMARY KEY, next_attempt_at DATETIME(3) NULL, lease_owner VARCHAR(64) NULL,
       lease_until DATETIME(3) NULL, attempts INT UNSIGNED NOT NULL, traceparent VARCHAR(64) NULL,
       lease_token BIGINT UNSIGNED NOT NULL DEFAULT 0, failures INT UNSIGNED NOT NULL DEFAULT 0,
       last_error VARCHAR(500) NULL, done_by VARCHAR(8) NULL, KEY (next_attempt_at))`,
  );
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await telemetry[Symbol.asyncDispose]();
  await schema?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  lines.length = 0;
  await database.execute("test.deleteJobs", "DELETE FROM jobs");
});

/** A worker that is quick about everything and polls so rarely that a test sees whether it was woken. */
function worker(run: DueRowsOptions["run"], options: Partial<DueRowsOptions> = {}) {
  return createDueRowsWorker({
    name: "test.jobs",
    database,
    telemetry,
    table: "jobs",
    keyColumn: "id",
    pollIntervalMs: 60_000,
    leaseMs: 600,
    drainTimeoutMs: 200,
    backoffMs: { first: 40, max: 100 },
    run,
    ...options,
  });
}

async function addJob(id: string, leaseUntil: Date | null = null): Promise<void> {
  const sql = "INSERT INTO jobs (id, next_attempt_at, lease_owner, lease_until, attempts) VALUES (?, ?, ?, ?, 0)";
  await database.execute("test.addJob", sql, [id, new Date(), leaseUntil && "another", leaseUntil]);
}

async function finish(id: string): Promise<undefined> {
  await database.execute("test.finish", "UPDATE jobs SET next_attempt_at = NULL, attempts = 0 WHERE id = ?", [id]);
  return undefined;
}

async function job(id: string) {
  interface Row {
    next_attempt_at: Date | null;
    lease_owner: string | null;
    attempts: number;
    failures: number;
    last_error: string | null;
    done_by: string | null;
  }
  const [row] = await database.query<Row>("test.job", "SELECT * FROM jobs WHERE id = ?", [id]);
  return row;
}

test("rows that are due at the start are run, each once, by two workers side by side", async () => {
  const ids = Array.from({ length: 60 }, (_, i) => `job-${i}`);
  for (const id of ids) await addJob(id);
  const ran: string[] = [];
  const run = async ({ key }: DueRow) => {
    ran.push(key);
    return finish(key);
  };
  await using _a = worker(run, { concurrency: 4 });
  await using _b = worker(run, { concurrency: 4 });
  await expect.poll(() => ran.length).toBe(60);
  expect(new Set(ran)).toEqual(new Set(ids));
  await expect.poll(async () => (await job("job-59"))?.lease_owner).toBeNull();
});

test("of a table that several workers share each runs its own, and counts no others", async () => {
  await database.execute("test.createTasks", "CREATE TABLE tasks LIKE jobs");
  await database.execute(
    "test.alterTasks",
    "ALTER TABLE tasks ADD COLUMN kind VARCHAR(8) NOT NULL, ADD KEY (kind, next_attempt_at)",
  );
  for (const [id, kind] of [
    ["a1", "a"],
    ["b1", "b"],
    ["a2", "a"],
  ] as const) {
    await database.execute(
      "test.addTask",
      "INSERT INTO tasks (id, next_attempt_at, attempts, kind) VALUES (?, ?, 0, ?)",
      [id, new Date(), kind],
    );
  }
  const ran: string[] = [];
  const run = async ({ key }: DueRow) => {
    ran.push(key);
    await database.execute("test.endTask", "UPDATE tasks SET next_attempt_at = NULL WHERE id = ?", [key]);
    return undefined;
  };
  const a = worker(run, { table: "tasks", only: { column: "kind", value: "a" } });
  await expect.poll(() => ran.toSorted()).toEqual(["a1", "a2"]);
  await a[Symbol.asyncDispose]();
  expect(ran).not.toContain("b1");
  const at = { name: "test.tasks", database, table: "tasks", keyColumn: "id", owner: "test" };
  const due = (value: string) => readBacklog({ ...at, only: { column: "kind", value } }, new Date());
  expect(await due("a")).toMatchObject({ count: 0 });
  expect(await due("b")).toMatchObject({ count: 1 });
});

test("wake() finds what has just become due", async () => {
  const ran: string[] = [];
  await using jobs = worker(async ({ key }) => {
    ran.push(key);
    return finish(key);
  });
  await addJob("late");
  jobs.wake();
  await expect.poll(() => ran).toEqual(["late"]);
});

test("a row that another instance has leased is left alone until its lease runs out", async () => {
  const leaseUntil = new Date(Date.now() + 700);
  await addJob("crashed", leaseUntil);
  const ranAt: number[] = [];
  await using _ = worker(
    async ({ key }) => {
      ranAt.push(Date.now());
      return finish(key);
    },
    { pollIntervalMs: 50 },
  );
  await expect.poll(() => ranAt.length, { timeout: 5_000 }).toBe(1);
  expect(ranAt[0]).toBeGreaterThanOrEqual(leaseUntil.getTime());
});

test("a run longer than its lease keeps it", async () => {
  await addJob("long");
  let runs = 0;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const run = async ({ key }: DueRow) => {
    runs += 1;
    await released;
    return finish(key);
  };
  await using _a = worker(run, { pollIntervalMs: 50 });
  await using _b = worker(run, { pollIntervalMs: 50 });
  await expect.poll(() => runs).toBe(1);
  const startMs = Date.now();
  await expect.poll(() => Date.now() - startMs, { timeout: 5_000 }).toBeGreaterThan(1_300);
  expect(runs).toBe(1);
  release();
  await expect.poll(async () => (await job("long"))?.next_attempt_at).toBeNull();
});

test("a failed run is due again after a backoff, counted and logged", async () => {
  await addJob("flaky");
  const attempts: number[] = [];
  await using _ = worker(
    async (row) => {
      attempts.push(row.attempts);
      if (row.attempts < 3) throw new Error("not yet");
      return finish(row.key);
    },
    { pollIntervalMs: 20 },
  );
  await expect.poll(() => attempts, { timeout: 5_000 }).toEqual([1, 2, 3]);
  const failures = lines.map((line) => JSON.parse(line)).filter(({ message }) => message === "due row failed");
  expect(failures).toMatchObject([
    { level: "warn", attempts: 1 },
    { level: "warn", attempts: 2 },
  ]);
});

test("what others set while a run failed stands: they know better when the row is due", async () => {
  await addJob("moved");
  await using _ = worker(async ({ key }) => {
    await finish(key);
    throw new Error("after its commit");
  });
  await expect.poll(async () => (await job("moved"))?.lease_owner).toBeNull();
  await expect.poll(() => lines.length).toBe(1);
  expect((await job("moved"))?.next_attempt_at).toBeNull();
});

test("a run whose lease was taken over is cut off and gives nothing back", async () => {
  await addJob("stolen");
  const { promise: cut, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  await using _ = worker(async () => {
    begin();
    const signal = currentSignal();
    signal?.addEventListener("abort", () => resolve());
    await cut;
    throw signal?.reason;
  });
  await begun;
  const sql = "UPDATE jobs SET lease_owner = 'another', lease_until = ? WHERE id = 'stolen'";
  await database.execute("test.steal", sql, [new Date(Date.now() + 60_000)]);
  await cut;
  await expect.poll(() => lines.some((line) => line.includes("another instance's now"))).toBe(true);
  expect((await job("stolen"))?.lease_owner).toBe("another");
});

test("a row born leased is run inside its caller's trace, and the worker waits for it when it stops", async () => {
  const traces: (string | undefined)[] = [];
  const jobs = worker(async ({ key }) => {
    traces.push(telemetry.inject().traceparent?.slice(0, 35));
    expect(currentCall()?.deadlineMs).toBeLessThan(Number.POSITIVE_INFINITY);
    return finish(key);
  });
  const caller = await telemetry.span("caller", {}, async () => {
    const lease = jobs.lease();
    const sql = `INSERT INTO jobs (id, next_attempt_at, lease_owner, lease_until, attempts, traceparent, lease_token)
      VALUES ('born', ?, ?, ?, 1, ?, ?)`;
    const { dueAt, owner, until, traceparent, leaseToken } = lease;
    await database.execute("test.addLeased", sql, [dueAt, owner, until, traceparent, leaseToken]);
    void jobs.runLeased("born", lease);
    return lease.traceparent;
  });
  await jobs[Symbol.asyncDispose]();
  expect(traces).toEqual([caller?.slice(0, 35)]);
  expect(await job("born")).toMatchObject({ next_attempt_at: null, lease_owner: null });
});

test("past leasedMax no more leases are given, with a hint when to come back", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  await using jobs = worker(() => released, { leasedMax: 1 });
  const running = jobs.runLeased("one", jobs.lease());
  expect(() => jobs.lease()).toThrow(/leasedMax/);
  release(undefined);
  await running;
  expect(jobs.lease().owner).toMatch(/^test-/);
});

test("the metrics show what is due, since when, and what is being worked on", async () => {
  await addJob("busy");
  await addJob("waits", new Date(Date.now() + 60_000));
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  let begun = false;
  await using _ = worker(() => {
    begun = true;
    return released;
  });
  await expect.poll(() => begun).toBe(true);
  const port = await freePort();
  await using _metrics = await telemetry.serveMetrics({ host: "127.0.0.1", port });
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(text).toMatch(/^weft_due_rows_due\{worker="test.jobs"\} 2$/m);
  expect(text).toMatch(/^weft_due_rows_running\{worker="test.jobs",lease="claimed"\} 1$/m);
  expect(text).toMatch(/^weft_due_rows_oldest_age.*\{worker="test.jobs"\} 0\.\d+$/m);
  release(undefined);
});

/** Ends a job on condition that the claim is still this one, as a run has to. */
async function finishAs(who: string, { key, leaseToken }: DueRow): Promise<undefined> {
  const sql = "UPDATE jobs SET next_attempt_at = NULL, attempts = 0, done_by = ? WHERE id = ? AND lease_token = ?";
  const { affectedRows } = await database.execute("test.finishAs", sql, [who, key, leaseToken]);
  if (affectedRows !== 1) throw leaseLost("test.jobs", key);
}

test("what a process commits that was frozen past its lease is refused, while another works and after it is done", async () => {
  await addJob("frozen");
  const thawed = Promise.withResolvers<void>();
  const tokens: bigint[] = [];
  const renewals = Promise.withResolvers<void>();
  // Its renewals, which would tell it that its lease is gone, come after all else.
  await using cold = createDatabase({
    url: schema.url,
    telemetry,
    onStatement: (_when, name) => (name === "test.jobs.renewLeases" ? renewals.promise : undefined),
  });
  const outcomes: string[] = [];
  await using _frozen = worker(
    async (row) => {
      tokens.push(row.leaseToken);
      await thawed.promise;
      return await finishAs("frozen", row).catch((error) => {
        outcomes.push(errorReason(error) ?? "");
        throw error;
      });
    },
    { database: cold },
  );
  await expect.poll(() => tokens).toEqual([1n]);
  const begun = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  await using _successor = worker(
    async (row) => {
      tokens.push(row.leaseToken);
      begun.resolve();
      await mayEnd.promise;
      return await finishAs("other", row);
    },
    { pollIntervalMs: 50 },
  );
  await begun.promise;
  thawed.resolve();
  await expect.poll(() => outcomes).toEqual(["LEASE_LOST"]);
  renewals.resolve();
  expect(tokens).toEqual([1n, 2n]);
  const during = await job("frozen");
  expect(during).toMatchObject({ done_by: null, failures: 0, last_error: null });
  expect(during?.next_attempt_at).not.toBeNull();
  mayEnd.resolve();
  await expect.poll(async () => (await job("frozen"))?.done_by).toBe("other");
  await expect.poll(() => lines.some((line) => line.includes("due row left to another instance"))).toBe(true);
});

test("a row says how often in a row it has failed and with what, until a run does not fail", async () => {
  await addJob("flaky");
  let failing = true;
  await using _ = worker(
    async () => {
      if (failing) throw new Error("é".repeat(600));
      return { againInMs: 60_000 };
    },
    { pollIntervalMs: 20 },
  );
  await expect.poll(async () => (await job("flaky"))?.failures).toBeGreaterThanOrEqual(2);
  expect((await job("flaky"))?.last_error).toBe("é".repeat(500));
  failing = false;
  await expect.poll(async () => (await job("flaky"))?.failures).toBe(0);
  expect((await job("flaky"))?.last_error).toBeNull();
});

test("rows that do not get on are listed, whatever holds them up, and counted; those that wait or are done are not", async () => {
  const minute = 60_000;
  const add = async (id: string, dueMs: number | null, more: { attempts?: number; failures?: number } = {}) => {
    const sql = `INSERT INTO jobs (id, next_attempt_at, attempts, failures, last_error, lease_until) VALUES (?, ?, ?, ?, ?, ?)`;
    const { attempts = 0, failures = 0 } = more;
    const later = new Date(Date.now() + 10 * minute);
    const dueAt = dueMs === null ? null : new Date(Date.now() + dueMs);
    await database.execute("test.addStuck", sql, [id, dueAt, attempts, failures, failures > 0 ? "away" : null, later]);
  };
  await add("left", -2 * minute);
  await add("failing", minute, { attempts: 3, failures: 3 });
  await add("turning", 2 * minute, { attempts: 50 });
  await add("young", -1_000, { attempts: 2, failures: 2 });
  await add("waiting", minute);
  await add("done", null, { attempts: 90, failures: 9 });
  await using jobs = worker(async ({ key }) => finish(key), { stuckAfter: { failures: 3, attempts: 50 } });
  const stuck = await jobs.listOverdue(10);
  expect(stuck.map(({ key }) => key)).toEqual(["left", "failing", "turning"]);
  expect(stuck[1]).toMatchObject({ attempts: 3, failures: 3, lastError: "away", leaseOwner: "" });
  expect(await jobs.listOverdue(1)).toHaveLength(1);
  const port = await freePort();
  await using _metrics = await telemetry.serveMetrics({ host: "127.0.0.1", port });
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(text).toMatch(/^weft_due_rows_stuck\{worker="test.jobs"\} 3$/m);
});

test("retry() ends a wait at once, but neither wakes what is done nor touches what is being run", async () => {
  const ran: string[] = [];
  await using jobs = worker(async ({ key }) => {
    ran.push(key);
    return finish(key);
  });
  const later = new Date(Date.now() + 60_000);
  const sql = "INSERT INTO jobs (id, next_attempt_at, lease_until, attempts) VALUES (?, ?, ?, 1)";
  await database.execute("test.addWaiting", sql, ["waits", later, null]);
  await database.execute("test.addWaiting", sql, ["runs", later, later]);
  await database.execute("test.addWaiting", sql, ["done", null, null]);
  expect(await Promise.all(["waits", "runs", "done", "none"].map((id) => jobs.retry(id)))).toEqual([
    ...[true, false, false, false],
  ]);
  await expect.poll(() => ran).toEqual(["waits"]);
});
