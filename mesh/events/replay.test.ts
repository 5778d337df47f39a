import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runAs } from "../context/call-context.ts";
import { systemClock } from "../contract/clock.ts";
import { errorReason } from "../contract/errors.ts";
import type { ReplayProgress } from "../contract/event-operations.ts";
import { startTestDatabase } from "../data/testing.ts";
import { createEventOperations } from "./operations.ts";
import type { Projection, ProjectionCopy, RebuildableProjection } from "./projection.ts";
import { ensureFilled } from "./replay.ts";

const resources = new AsyncDisposableStack();
let at: Awaited<ReturnType<typeof startTestDatabase>>;

beforeAll(async () => {
  at = resources.use(await startTestDatabase());
  await script("CREATE TABLE moves (id BIGINT AUTO_INCREMENT PRIMARY KEY, thing VARCHAR(20) NOT NULL)");
});
afterAll(() => resources.disposeAsync());
beforeEach(async () => {
  for (const table of ["counts", "counts_replay", "counts_replaced"]) await script(`DROP TABLE IF EXISTS ${table}`);
  await script("TRUNCATE TABLE moves");
  await script(create("counts"));
  for (const thing of ["cup", "cup", "pot"]) await move(thing);
});

const script = (sql: string) => at.database.session("test.script", (session) => session.script("test.script", sql));
const create = (name: string) => `CREATE TABLE ${name} (thing VARCHAR(20) PRIMARY KEY, moves BIGINT NOT NULL)`;
const move = (thing: string) => at.database.execute("test.move", "INSERT INTO moves (thing) VALUES (?)", [thing]);
const rows = async (table: string) =>
  (await at.database.query<{ thing: string; moves: string }>("test.rows", `SELECT * FROM ${table} ORDER BY thing`)).map(
    ({ thing, moves }) => `${thing} ${moves}`,
  );
const tables = async () =>
  (
    await at.database.query<{ name: string }>(
      "test.tables",
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'counts%' ORDER BY 1",
    )
  ).map(({ name }) => name);

const count = ({ database, table }: ProjectionCopy) =>
  database.execute("test.count", `REPLACE INTO ${table("counts")} SELECT thing, COUNT(*) FROM moves GROUP BY thing`);

/** How often each thing was moved. */
function counts(more: Partial<RebuildableProjection> = {}): RebuildableProjection {
  return {
    name: "counts",
    tables: [{ name: "counts", create }],
    source: "moves",
    async fill(copy) {
      copy.progress(3, (await count(copy)).affectedRows);
    },
    async catchUp(copy) {
      await count(copy);
    },
    ...more,
  };
}

const operations = (...projections: Projection[]) => createEventOperations({ database: at.database, projections });
const replay = (projection: Projection, by = "ann", report: (progress: ReplayProgress) => void = () => {}) =>
  operations(projection).replay(projection.name, by, report);
const deps = () => ({ database: at.database, clock: systemClock });

/** A door that work waits at. */
function door() {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  return {
    reached: reached.promise,
    open: () => opened.resolve(),
    async wait() {
      reached.resolve();
      await opened.promise;
    },
  };
}

async function failure(work: Promise<unknown>): Promise<ConnectError> {
  return await work.then(
    () => Promise.reject(new Error("it did not fail")),
    (error: unknown) => (error instanceof ConnectError ? error : Promise.reject(error)),
  );
}

describe("a replay", () => {
  test("makes the table anew, says how far it is, and leaves nothing behind but who did it", async () => {
    await at.database.execute("test.spoil", "INSERT INTO counts VALUES ('cup', 99), ('ghost', 1)");
    const phases: string[] = [];
    const result = await replay(counts(), "ann", ({ phase }) => phases.push(phase));
    expect(result).toMatchObject({ phase: "done", done: 3, total: 3, rows: 2 });
    expect([...new Set(phases)]).toEqual(["filling", "catching up", "swapping", "finishing", "done"]);
    expect(await rows("counts")).toEqual(["cup 2", "pot 1"]);
    expect(await tables()).toEqual(["counts"]);
    expect(await operations(counts()).projections()).toMatchObject([
      { name: "counts", source: "moves", replaying: undefined, replayed: { by: "ann", at: expect.any(Date) } },
    ]);
  });

  test("of a table that somebody has dropped restores it at once, for those who write to it, and fills it", async () => {
    await script("DROP TABLE counts");
    const fillDoor = door();
    const running = replay(
      counts({
        async fill(copy) {
          await fillDoor.wait();
          await count(copy);
        },
      }),
    );
    await fillDoor.reached;
    expect(await rows("counts")).toEqual([]);
    fillDoor.open();
    await running;
    expect(await rows("counts")).toEqual(["cup 2", "pot 1"]);
  });

  test("misses nothing that happens between its last look and the swap", async () => {
    let looks = 0;
    const projection = counts({
      async catchUp(copy) {
        await count(copy);
        // Told to the old table only, a moment before it is replaced.
        if (looks++ === 0) await move("lid");
      },
    });
    await replay(projection);
    expect(await rows("counts")).toEqual(["cup 2", "lid 1", "pot 1"]);
  });

  test("is refused while another one runs, which is named; and in a list it is seen", async () => {
    const fillDoor = door();
    const slow = counts({ fill: () => fillDoor.wait() });
    const running = replay(slow, "spiffe://weft.local/operator/Ann");
    await fillDoor.reached;
    const error = await failure(replay(counts(), "bob"));
    expect([error.code, errorReason(error)]).toEqual([Code.Aborted, "REPLAY_RUNNING"]);
    expect(error.message).toMatch(/counts is being made anew by spiffe:\/\/weft\.local\/operator\/Ann, since 20/);
    expect(await operations(slow).projections()).toMatchObject([
      { replaying: { by: "spiffe://weft.local/operator/Ann" } },
    ]);
    fillDoor.open();
    await running;
    await replay(counts(), "bob");
  });

  test("that fails, or whose caller leaves, changes nothing and can be begun again", async () => {
    await at.database.execute("test.old", "INSERT INTO counts VALUES ('old', 1)");
    const broken = counts({ fill: () => Promise.reject(new Error("a page cannot be read")) });
    await expect(replay(broken)).rejects.toThrow("a page cannot be read");
    expect(await tables()).toEqual(["counts"]);

    const gone = new AbortController();
    const pages = counts({
      async fill({ database, progress }) {
        for (;;) {
          await database.query("test.page", "SELECT 1");
          progress(1, 1);
        }
      },
    });
    const running = runAs({ signal: gone.signal }, () => replay(pages, "ann", ({ done }) => done > 5 && gone.abort()));
    expect((await failure(running)).code).toBe(Code.Canceled);
    expect(await tables()).toEqual(["counts"]);
    expect(await rows("counts")).toEqual(["old 1"]);
    await replay(counts());
    expect(await rows("counts")).toEqual(["cup 2", "pot 1"]);
  });

  test("goes on with the swap once it has begun, whatever becomes of the caller", async () => {
    const gone = new AbortController();
    const leave = ({ phase }: ReplayProgress) => phase === "swapping" && gone.abort();
    await runAs({ signal: gone.signal }, () => replay(counts(), "ann", leave));
    expect(await rows("counts")).toEqual(["cup 2", "pot 1"]);
    expect(await tables()).toEqual(["counts"]);
  });

  test("clears away what a process has left that was killed", async () => {
    await script("CREATE TABLE counts_replay (nonsense INT)");
    await script("CREATE TABLE counts_replaced (nonsense INT)");
    expect(await operations(counts()).projections()).toMatchObject([{ replaying: undefined }]);
    await replay(counts());
    expect(await tables()).toEqual(["counts"]);
    expect(await rows("counts")).toEqual(["cup 2", "pot 1"]);
  });

  test("that cannot swap gives up after a while, and leaves nothing", { timeout: 60_000 }, async () => {
    const using = door();
    const reading = at.database.transaction("test.read", async (tx) => {
      await tx.query("test.hold", "SELECT * FROM counts LIMIT 1");
      await using.wait();
    });
    await using.reached;
    const error = await failure(replay(counts()));
    expect([error.code, errorReason(error)]).toEqual([Code.Aborted, "REPLAY_SWAP_TIMEOUT"]);
    using.open();
    await reading;
    expect(await tables()).toEqual(["counts"]);
    await replay(counts());
  });

  test("waits for those who use the table, and swaps when they have gone", async () => {
    const using = door();
    const reading = at.database.transaction("test.read", async (tx) => {
      await tx.query("test.hold", "SELECT * FROM counts LIMIT 1");
      await using.wait();
    });
    await using.reached;
    const phases: string[] = [];
    const running = replay(counts(), "ann", ({ phase }) => {
      phases.push(phase);
      if (phase === "swapping") setTimeout(using.open, 1_500);
    });
    await running;
    await reading;
    expect(phases.at(-1)).toBe("done");
    expect(await rows("counts")).toEqual(["cup 2", "pot 1"]);
  });

  test("of what cannot be made anew says why, of what is not there what is", async () => {
    const lasting = { name: "views", tables: [{ name: "views" }], notRebuildableBecause: "nobody keeps its events" };
    const error = await failure(operations(lasting).replay("views", "ann", () => {}));
    expect([error.code, errorReason(error)]).toEqual([Code.FailedPrecondition, "NOT_REBUILDABLE"]);
    expect(error.message).toContain("nobody keeps its events");
    const missing = await failure(operations(lasting, counts()).replay("sums", "ann", () => {}));
    expect([missing.code, errorReason(missing)]).toEqual([Code.NotFound, "PROJECTION_UNKNOWN"]);
    expect(missing.message).toContain("there are: views, counts");
  });
});

describe("at the start of a service", () => {
  test("an empty projection is filled, one that is not is left alone", async () => {
    await ensureFilled(deps(), counts(), "test");
    expect(await rows("counts")).toEqual(["cup 2", "pot 1"]);
    await move("cup");
    await ensureFilled(deps(), counts(), "test");
    expect(await rows("counts")).toEqual(["cup 2", "pot 1"]);
  });

  test("what a process has left that died after the swap is caught up with", async () => {
    await count({ database: at.database, table: (name) => name, progress: () => {} });
    await script(create("counts_replaced"));
    await move("lid");
    await ensureFilled(deps(), counts(), "test");
    expect(await rows("counts")).toEqual(["cup 2", "lid 1", "pot 1"]);
    expect(await tables()).toEqual(["counts"]);
  });

  test("somebody else's replay of an empty one is waited for by nobody", async () => {
    const fillDoor = door();
    const running = replay(counts({ fill: () => fillDoor.wait() }));
    await fillDoor.reached;
    await ensureFilled(deps(), counts(), "test");
    fillDoor.open();
    await running;
  });
});
