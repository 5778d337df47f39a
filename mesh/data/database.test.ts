import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Code, type ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { currentCall, runAs, runDetached } from "../context/call-context.ts";
import type { Database } from "./queryable.ts";
import { eventually, startTestDatabase } from "./testing.ts";

let at: Awaited<ReturnType<typeof startTestDatabase>>;
let database: Database;

beforeAll(async () => {
  at = await startTestDatabase();
  database = at.database;
  await database.execute(
    "test.create",
    "CREATE TABLE items (id BIGINT PRIMARY KEY AUTO_INCREMENT, n BIGINT, d DATETIME(3), b BLOB)",
  );
});
afterAll(() => at?.[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.execute("test.clear", "DELETE FROM items");
});

const sleep = (on: Database, seconds: number) => on.query("test.sleep", "SELECT SLEEP(?) AS slept", [seconds]);

test("values come back as they went in: 64-bit integers, UTC milliseconds, bytes, NULL", async () => {
  const [n, d, b] = [9_007_199_254_740_993n, new Date("2026-03-29T01:30:00.123Z"), new Uint8Array([0, 255, 1])];
  const { insertId, affectedRows } = await database.execute(
    "test.insert",
    "INSERT INTO items (n, d, b) VALUES (?, ?, ?)",
    [n, d, b],
  );
  expect([typeof insertId, affectedRows]).toEqual(["bigint", 1]);
  await database.execute("test.insert", "INSERT INTO items (n, d, b) VALUES (?, ?, ?)", [-5, null, null]);
  const rows = await database.query("test.select", "SELECT n + ? AS n, d, b FROM items ORDER BY id LIMIT ?", [0n, 10]);
  expect(rows).toEqual([
    { n: "9007199254740993", d, b: Buffer.from(b) },
    { n: "-5", d: null, b: null },
  ]);
});

test("sessions are in UTC and READ COMMITTED", async () => {
  const [row] = await database.query("test.session", "SELECT @@time_zone AS zone, @@tx_isolation AS isolation");
  expect(row).toEqual({ zone: "+00:00", isolation: "READ-COMMITTED" });
});

test("a statement ends with its call's deadline, and its connection is not used again", async () => {
  await using own = at.open({ poolSize: 1 });
  const [before] = await own.query<{ id: string }>("test.connection", "SELECT CONNECTION_ID() AS id");
  const startedMs = performance.now();
  await expect(runDetached({ timeoutMs: 50 }, () => sleep(own, 5))).rejects.toMatchObject({
    code: Code.DeadlineExceeded,
  });
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  const [after] = await own.query<{ id: string }>("test.connection", "SELECT CONNECTION_ID() AS id");
  expect(after?.id).not.toBe(before?.id);
});

test("a statement ends with its call's cancellation, and one of a call that is over is not sent", async () => {
  const controller = new AbortController();
  const sleeping = runAs({ signal: controller.signal }, () => sleep(database, 5));
  setTimeout(() => controller.abort(), 30);
  await expect(sleeping).rejects.toMatchObject({ code: Code.Canceled });
  const late = runAs({ signal: controller.signal }, () =>
    database.execute("test.late", "INSERT INTO items (n) VALUES (1)"),
  );
  await expect(late).rejects.toMatchObject({ code: Code.Canceled });
  expect(await database.query("test.select", "SELECT * FROM items")).toEqual([]);
});

test("a statement without a call ends with the statement time limit, on the server too", async () => {
  await using own = at.open({ statementTimeoutMs: 100 });
  await expect(sleep(own, 5)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await eventually(async () => {
    const sql = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(5%'";
    const [row] = await database.query<{ n: string }>("test.processes", sql);
    return row?.n === "0";
  });
});

test("waiting for a connection is bounded in time and in number; one that comes late is not lost", async () => {
  await using own = at.open({ poolSize: 1, queueLengthMax: 1, acquireTimeoutMs: 80 });
  const [busy, late, refused] = [sleep(own, 0.25), sleep(own, 0), sleep(own, 0)];
  const outcomes = await Promise.allSettled([refused, late]);
  expect(outcomes).toMatchObject([
    { reason: { code: Code.ResourceExhausted, rawMessage: expect.stringContaining("queueLengthMax") } },
    { reason: { code: Code.ResourceExhausted, rawMessage: expect.stringContaining("acquireTimeoutMs") } },
  ]);
  await busy;
  expect(await sleep(own, 0)).toHaveLength(1);
});

test("a call that is cancelled stops waiting for a connection", async () => {
  await using own = at.open({ poolSize: 1 });
  const busy = sleep(own, 0.2);
  await expect(runDetached({ timeoutMs: 20 }, () => sleep(own, 0))).rejects.toMatchObject({
    code: Code.DeadlineExceeded,
  });
  await busy;
  expect(await sleep(own, 0)).toHaveLength(1);
});

test("the pool's gauges tell used, idle and waiting apart", async () => {
  await using own = at.open({ poolSize: 2 });
  const port = await freePort();
  await using _metrics = await at.telemetry.serveMetrics({ host: "127.0.0.1", port });
  const gauges = async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const lines = text
      .split("\n")
      .filter((line) => line.startsWith("db_client_connection_") && !line.includes("idle="));
    return lines.join("\n");
  };
  const busy = [sleep(own, 0.3), sleep(own, 0.3), sleep(own, 0)];
  await eventually(async () => /pending_requests\S* 1\n?/.test(await gauges()));
  expect(await gauges()).toMatch(/connection_count\S*state="used"\S* 2/);
  await Promise.all(busy);
  expect(await gauges()).toMatch(/connection_count\S*state="idle"\S* 2/);
});

test("the server sees each statement's name, in its process list and in its logs", async () => {
  const sql = "SELECT info FROM information_schema.processlist WHERE id = CONNECTION_ID()";
  const [row] = await at.database.query<{ info: string }>("test.whoAmI", sql);
  expect(row?.info).toBe(`/* test.whoAmI */ ${sql}`);
  const bad = at.database.query("test */ DROP TABLE users; /*", sql);
  await expect(bad).rejects.toThrow("is no name for a statement");
});

test("a database that is away is UNAVAILABLE", async () => {
  await using own = at.open({ url: "mysql://nobody:x@127.0.0.1:1/none" });
  await expect(own.query("test.away", "SELECT 1")).rejects.toMatchObject({
    code: Code.Unavailable,
    rawMessage: expect.stringContaining("test.away"),
  });
});

test("a gauge tells that the database is away, and that it is back", async () => {
  const elsewhere = new URL(at.url);
  elsewhere.port = String(await freePort());
  await using own = at.open({ url: elsewhere.href });
  const port = await freePort();
  await using _metrics = await at.telemetry.serveMetrics({ host: "127.0.0.1", port });
  const connected = async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return text
      .split("\n")
      .findLast((line) => line.startsWith("weft_database_connected{"))
      ?.at(-1);
  };
  await expect(sleep(own, 0)).rejects.toMatchObject({ code: Code.Unavailable });
  expect(await connected()).toBe("0");
  await using _proxy = await passOn(at.url, Number(elsewhere.port));
  await sleep(own, 0);
  expect(await connected()).toBe("1");
});

test("a connection that the server has killed is UNAVAILABLE, the next statement gets another", async () => {
  await using own = at.open({ poolSize: 1 });
  const [row] = await own.query<{ id: string }>("test.connection", "SELECT CONNECTION_ID() AS id");
  // Expected before the kill: it may fail before the kill is answered.
  const killed = expect(sleep(own, 5)).rejects.toMatchObject({ code: Code.Unavailable });
  await database.execute("test.kill", `KILL CONNECTION ${Number(row?.id)}`);
  await killed;
  expect(await sleep(own, 0)).toHaveLength(1);
});

test("a transaction commits when its function resolves and rolls back when it rejects; hooks run after a commit only", async () => {
  const hooks: string[] = [];
  const insert = (n: number, fail: boolean) =>
    database.transaction("test.insertItem", async (tx) => {
      tx.afterCommit(() => hooks.push(`after ${n}`));
      await tx.execute("test.insert", "INSERT INTO items (n) VALUES (?)", [n]);
      expect(hooks).not.toContain(`after ${n}`);
      if (fail) throw new Error("changed my mind");
      return n;
    });
  expect(await insert(1, false)).toBe(1);
  await expect(insert(2, true)).rejects.toThrow("changed my mind");
  expect(await database.query("test.select", "SELECT n FROM items")).toEqual([{ n: "1" }]);
  expect(hooks).toEqual(["after 1"]);
});

test("a hook that throws does not undo the commit, nor stop the other hooks", async () => {
  let other = false;
  await database.transaction("test.hooks", async (tx) => {
    tx.afterCommit(() => {
      throw new Error("a bad hook");
    });
    tx.afterCommit(() => {
      other = true;
    });
  });
  expect(other).toBe(true);
  expect(at.lines.join()).toContain("a bad hook");
});

test("a transaction whose call is over before COMMIT is rolled back", async () => {
  const controller = new AbortController();
  const work = runAs({ signal: controller.signal }, () =>
    database.transaction("test.cancelled", async (tx) => {
      await tx.execute("test.insert", "INSERT INTO items (n) VALUES (1)");
      controller.abort();
    }),
  );
  await expect(work).rejects.toMatchObject({ code: Code.Canceled });
  expect(await database.query("test.select", "SELECT n FROM items")).toEqual([]);
});

test("a transaction that is over takes no more statements", async () => {
  const tx = await database.transaction("test.leak", async (inside) => inside);
  await expect(tx.query("test.late", "SELECT 1")).rejects.toThrow("test.leak is over");
});

/** Two transactions that lock two rows in opposite order: one of them becomes a deadlock's victim. */
async function deadlock(onError: (error: unknown) => void) {
  await database.execute("test.insert", "INSERT INTO items (id, n) VALUES (1, 0), (2, 0)");
  const attempts = [0, 0];
  const bothLocked = Promise.withResolvers<void>();
  let locked = 0;
  const transfer = (index: number, from: number, to: number) =>
    database.transaction("test.transfer", async (tx) => {
      attempts[index] = (attempts[index] ?? 0) + 1;
      await tx.execute("test.lock", "UPDATE items SET n = n + 1 WHERE id = ?", [from]);
      locked += 1;
      if (locked === 2) bothLocked.resolve();
      await bothLocked.promise;
      try {
        await tx.execute("test.lock", "UPDATE items SET n = n + 1 WHERE id = ?", [to]);
      } catch (error) {
        onError(error);
      }
    });
  await Promise.all([transfer(0, 1, 2), transfer(1, 2, 1)]);
  return { attempts: attempts.toSorted(), rows: await database.query("test.select", "SELECT n FROM items") };
}

test("a deadlock's victim runs again", async () => {
  const rethrow = (error: unknown) => {
    throw error;
  };
  expect(await deadlock(rethrow)).toEqual({ attempts: [1, 2], rows: [{ n: "2" }, { n: "2" }] });
});

test("a deadlock's victim runs again even if it swallows the error, and commits no half", async () => {
  expect(await deadlock(() => {})).toEqual({ attempts: [1, 2], rows: [{ n: "2" }, { n: "2" }] });
});

test("conflicts that do not end are ABORTED after conflictAttemptsMax attempts", async () => {
  let attempts = 0;
  const work = database.transaction("test.conflict", async (tx) => {
    attempts += 1;
    await tx.execute("test.signal", "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'");
  });
  await expect(work).rejects.toMatchObject({
    code: Code.Aborted,
    rawMessage: expect.stringContaining("conflictAttemptsMax"),
  });
  expect(attempts).toBe(6);
});

test("a lost reply to COMMIT is an unknown outcome, not retried, and no hook runs", async () => {
  await using proxy = await cutAfterCommit(at.url);
  await using own = at.open({ url: proxy.url });
  let attempts = 0;
  let hooked = false;
  const work = own.transaction("test.lost", async (tx) => {
    attempts += 1;
    tx.afterCommit(() => {
      hooked = true;
    });
    await tx.execute("test.insert", "INSERT INTO items (n) VALUES (7)");
  });
  const error: ConnectError = await work.then(
    () => Promise.reject(new Error("committed")),
    (reason) => reason,
  );
  expect(error).toMatchObject({ code: Code.Unknown, details: [{ value: { reason: "COMMIT_OUTCOME_UNKNOWN" } }] });
  expect([attempts, hooked]).toEqual([1, false]);
  // It did happen: that is why it must not be retried.
  expect(await database.query("test.select", "SELECT n FROM items")).toEqual([{ n: "7" }]);
});

test("the ambient call is the caller's inside of a transaction", async () => {
  await runAs({ method: "shop.Test/Call" }, () =>
    database.transaction("test.ambient", async (tx) => {
      await tx.query("test.one", "SELECT 1");
      expect(currentCall()?.method).toBe("shop.Test/Call");
    }),
  );
});

/** Cuts the connection when the server answers a COMMIT. */
function cutAfterCommit(url: string) {
  return passOn(url, 0, (data) => data.includes("COMMIT") && !data.includes("READ-COMMITTED"));
}

/** Listens on a port and passes everything on, until the server answers what is to be cut. */
async function passOn(url: string, onPort: number, isCut: (data: Buffer | string) => boolean = () => false) {
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let cutting = false;
    client.on("data", (data) => {
      cutting ||= isCut(data);
      upstream.write(data);
    });
    upstream.on("data", (data) => (cutting ? client.destroy() : client.write(data)));
    for (const socket of [client, upstream]) sockets.push(socket.on("error", () => {}));
  });
  await new Promise<void>((resolve) => server.listen(onPort, "127.0.0.1", resolve));
  const proxied = new URL(url);
  proxied.port = String((server.address() as AddressInfo).port);
  return {
    url: proxied.href,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
