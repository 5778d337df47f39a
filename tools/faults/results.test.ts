import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { countFindings, type FaultRow, faultsOf, type MutationRow, progressFile, report, totalsOf } from "./results.ts";
import { tableRow, totalsLine } from "./table.ts";

const row = (cell: string, other: Partial<FaultRow> = {}): FaultRow => ({
  ...{ cell, kind: cell.split("/")[0] ?? "", seed: 7, tries: 1, hits: 3, inFlight: 4, operations: 100 },
  ...{ recoverMs: 1_250, quietMs: 9_000, unknown: 2, ...countFindings([]), ...other },
});
const caught: MutationRow = {
  mutation: "inbox-off",
  cells: ["duplicate-events/1"],
  caughtBy: ["stock adds up"],
  isCaught: true,
};
const finding = (kind: "lost" | "duplicated" | "unresolved" | "wrong") => {
  return { invariant: "an invariant", kind, subject: "ord_1", detail: "is not there" };
};

test("a run in which everything was hit and nothing found is green", () => {
  const progress = {
    seed: 1,
    plan: "full",
    rows: [row("a/1"), row("a/2"), row("b/1"), row("b/2")],
    mutations: [caught],
    scenarios: [],
  };
  expect(faultsOf(progress)).toEqual([]);
  expect(totalsOf(progress)).toEqual({
    ...{ kinds: 2, seeds: 2, hits: 12, lost: 0, duplicated: 0, unresolved: 0, mutations: 1, mutations_caught: 1 },
    scenarios: 0,
  });
  expect(totalsLine(progress)).toBe(
    "2 kinds x 2 seeds, 400 operations, 12 hits: 0 lost, 0 duplicated, 0 unresolved (8 unknown to their clients); 1 of 1 mutations caught",
  );
});

test.each([
  ["a fault that hit nothing", [row("a/1", { hits: 0 })], [caught]],
  ["a fault while nothing was in flight", [row("a/1", { inFlight: 0 })], [caught]],
  ["a shop that did not come back", [row("a/1", { recoverMs: null })], [caught]],
  ["something lost", [row("a/1", countFindings([finding("lost")]))], [caught]],
  ["something wrong", [row("a/1", countFindings([finding("wrong")]))], [caught]],
  ["a mutation that nothing caught", [row("a/1")], [{ ...caught, caughtBy: [], isCaught: false }]],
  ["a mutation caught by chance", [row("a/1")], [{ ...caught, isCaught: false }]],
] as const)("%s makes a run red", (_, rows, mutations) => {
  expect(faultsOf({ rows, mutations })).toHaveLength(1);
});

test("a scenario in which something was found makes a run red, and is counted", () => {
  const scenarios = [{ scenario: "last-unit", what: "", figures: {}, findings: [finding("duplicated")] }];
  expect(faultsOf({ rows: [], mutations: [], scenarios })).toHaveLength(1);
  expect(totalsOf({ rows: [], mutations: [], scenarios })).toMatchObject({ scenarios: 1, duplicated: 1 });
});

test("what is wrong counts as unresolved", () => {
  const findings = [finding("lost"), finding("duplicated"), finding("unresolved"), finding("wrong")];
  const { lost, duplicated, unresolved } = totalsOf({ rows: [row("a/1", countFindings(findings))], mutations: [] });
  expect({ lost, duplicated, unresolved }).toEqual({ lost: 1, duplicated: 1, unresolved: 2 });
  expect(tableRow(row("a/1", countFindings(findings)))).toMatch(/1 +1 +2, 2 unresolved$/);
});

test("a row keeps the first findings of each invariant, and counts all", () => {
  const { lost, findings } = countFindings(Array.from({ length: 30 }, () => finding("lost")));
  expect({ lost, kept: findings.length }).toEqual({ lost: 30, kept: 5 });
});

test("progress is read again by a run of the same plan only", async () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-faults-"));
  try {
    const file = progressFile(join(directory, "state", "progress.json"));
    expect(file.read("full", undefined)).toBeUndefined();
    const progress = { seed: 5, plan: "full", rows: [row("a/1")], mutations: [], scenarios: [] };
    await file.write(progress);
    expect(file.read("full", undefined)).toEqual(progress);
    expect(file.read("full", 5)).toEqual(progress);
    expect(file.read("full", 6)).toBeUndefined();
    expect(file.read("smoke", undefined)).toBeUndefined();
    file.remove();
    expect(file.read("full", 5)).toBeUndefined();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("the report begins with flat totals", () => {
  const progress = { seed: 5, plan: "full", rows: [row("a/1")], mutations: [caught], scenarios: [] };
  const fields = Object.keys(
    JSON.parse(report(progress, { smoke: false, transport: "auto", durationMs: 61_000 })) as object,
  );
  expect(fields.slice(0, 8)).toEqual([
    ...["kinds", "seeds", "hits", "lost", "duplicated", "unresolved", "mutations", "mutations_caught"],
  ]);
});
