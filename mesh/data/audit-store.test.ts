import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runAs } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import type { Audit } from "../telemetry/audit.ts";
import { auditMigrations, createAudit } from "./audit-store.ts";
import { migrate } from "./migrate.ts";
import { startTestDatabase } from "./testing.ts";

let at: Awaited<ReturnType<typeof startTestDatabase>>;
let audit: Audit;
beforeEach(async () => {
  at = await startTestDatabase();
  const { database, telemetry } = at;
  await migrate({ database, component: "weft_audit", directory: auditMigrations, logger: telemetry.logger });
  audit = createAudit({ database, telemetry });
});
afterEach(() => at?.[Symbol.asyncDispose]());

const asOperator = <T>(fn: () => Promise<T>) =>
  runAs({ peer: "spiffe://weft.local/operator", claimedOperator: "ada" }, () => at.telemetry.span("a call", {}, fn));
const list = () => audit.list({ limit: 10 });

test("an action is written down before it begins, and completed after it", async () => {
  let traceId: string | undefined;
  const result = await asOperator(() =>
    audit.audited(
      "RebuildThings",
      "things",
      async () => {
        traceId = at.telemetry.inject().traceparent?.split("-")[1];
        const [begun] = await list();
        expect(begun).toMatchObject({ action: "RebuildThings", target: "things", outcome: "", endedAt: undefined });
        return 7;
      },
      { reason: "they were wrong", outcome: (count) => `${count} things` },
    ),
  );
  expect(result).toBe(7);
  const [entry, ...others] = await list();
  expect(others).toEqual([]);
  expect(entry).toMatchObject({
    peer: "spiffe://weft.local/operator",
    claimedOperator: "ada",
    reason: "they were wrong",
    outcome: "7 things",
    failed: false,
    dryRun: false,
    traceId,
  });
  expect(Math.abs((entry?.beganAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  expect(entry?.endedAt?.getTime()).toBeGreaterThanOrEqual(entry?.beganAt.getTime() ?? Number.NaN);
});

test("an action that fails says with what, but nothing of an error that may hold a customer's words", async () => {
  const fail = (error: Error) => audit.audited("Fail", "x", () => Promise.reject(error), { dryRun: true });
  await expect(fail(rpcError(Code.Aborted, "changed meanwhile"))).rejects.toThrow("changed meanwhile");
  await expect(fail(new TypeError("Duplicate entry 'ada@example.com'"))).rejects.toThrow("ada@example.com");
  expect(await list()).toMatchObject([
    { outcome: "TypeError", failed: true, dryRun: true },
    { outcome: "Aborted: changed meanwhile", failed: true, dryRun: true },
  ]);
});

test("an action whose caller leaves is completed all the same", async () => {
  const caller = new AbortController();
  await runAs({ signal: caller.signal }, () => audit.audited("Act", "x", async () => caller.abort()));
  expect(await list()).toMatchObject([{ outcome: "done" }]);
});

test("what cannot be written down is not done", async () => {
  await at.database.execute("test.drop", "DROP TABLE weft_audit");
  let done = false;
  const act = async () => {
    done = true;
  };
  await expect(audit.audited("Act", "x", act)).rejects.toThrow("weft_audit");
  expect(done).toBe(false);
});

test("an outcome that cannot be written down leaves the entry open, and what was done stands", async () => {
  const act = async () => {
    await at.database.execute("test.rename", "RENAME TABLE weft_audit TO elsewhere");
    return "done it";
  };
  expect(await audit.audited("Act", "x", act)).toBe("done it");
  await at.database.execute("test.rename", "RENAME TABLE elsewhere TO weft_audit");
  expect(await list()).toMatchObject([{ endedAt: undefined, outcome: "" }]);
  expect(at.lines.join("")).toContain("an action's outcome could not be written down");
});

test("the list is newest first and goes on before an entry; what is too long is cut; what is too old goes", async () => {
  await at.database.execute(
    "test.old",
    `INSERT INTO weft_audit (peer, claimed_operator, began_at, action, target, dry_run, reason, failed, trace_id)
     VALUES ('', '', UTC_TIMESTAMP(3) - INTERVAL 500 DAY, 'Old', '', FALSE, '', FALSE, '')`,
  );
  for (const target of ["a", "b", "x".repeat(2_000)]) await audit.audited("Act", target, async () => {});
  const all = await list();
  expect(all.map(({ target }) => target.slice(0, 3))).toEqual(["xxx", "b", "a"]);
  expect(all[0]?.target).toHaveLength(500);
  expect(await audit.list({ limit: 1, beforeId: all[0]?.id })).toEqual([all[1]]);
});
