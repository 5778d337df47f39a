import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { currentSignal } from "@weft/mesh/context";
import { type EventOperations, rpcError } from "@weft/mesh/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { echoRoutes } from "../../mesh/testing/echo.ts";
import { createWorld, type World } from "../../mesh/testing/world.ts";
import { run } from "./cli.ts";
import { exitCodes } from "./failure.ts";
import { createProgressLine } from "./progress-line.ts";

const resources = new AsyncDisposableStack();
let world: World;
let directory: string;
const audited: unknown[] = [];
const asked: unknown[] = [];

/** Longer than whoever follows waits for the next word. */
const longStepMs = 600;

const operations: EventOperations = {
  projections: async () => [
    {
      ...{ name: "order_history", tables: ["order_history"], source: "order_events", notRebuildableBecause: "" },
      replaying: undefined,
      replayed: { by: "spiffe://test.local/operator", at: new Date("2026-11-22T09:00:00Z") },
    },
    {
      ...{ name: "views", tables: ["views"], source: "", notRebuildableBecause: "nobody keeps its events" },
      ...{ replaying: undefined, replayed: undefined },
    },
  ],
  async replay(name, by, report) {
    asked.push({ name, by });
    if (name !== "order_history") {
      throw rpcError(Code.Aborted, "order_history is being made anew by ann", { reason: "REPLAY_RUNNING" });
    }
    const progress = {
      phase: "filling" as const,
      done: 40_000,
      total: 98_000,
      eventsPerSecond: 41_234.5,
      rows: 9_000,
      removed: 0,
    };
    report(progress);
    await new Promise((resolve) => setTimeout(resolve, longStepMs));
    currentSignal()?.throwIfAborted();
    return { ...progress, phase: "done", done: 100_000, total: 100_000, rows: 20_000, removed: 2 };
  },
  async republish(filter, report) {
    asked.push(filter);
    report({ events: 250, more: false });
    return { events: 1_250, more: filter.limit < 10_000 };
  },
  async verify(problemsMax, report) {
    const problem = {
      table: "order_events",
      event: "ord_1 3",
      type: "shop.order.v1.OrderPaid",
      problem: "nobody here knows its type",
    };
    const progress = { table: "order_events", done: 500, total: 4_000, problemCount: 1, problems: [problem] };
    report(progress);
    await new Promise((resolve) => setTimeout(resolve, longStepMs));
    if (problemsMax === 7) return { ...progress, done: 4_100, total: 4_100, problemCount: 0, problems: [] };
    return {
      ...progress,
      done: 4_100,
      total: 4_100,
      problemCount: 2,
      problems: [problem, { ...problem, event: "ord_2 1" }],
    };
  },
};

beforeAll(async () => {
  world = resources.use(await createWorld());
  await world.credentials("operator");
  await world.credentials("somebody");
  const audit = {
    async audited<T>(
      action: string,
      target: string,
      fn: () => Promise<T>,
      options: { outcome?: (result: T) => string } = {},
    ) {
      const result = await fn();
      audited.push({ ...options, action, target, outcome: options.outcome?.(result) });
      return result;
    },
  };
  const order = await world.serve("order", echoRoutes(), { operations: { audit, events: operations } });
  const edge = await world.serve("edge", echoRoutes());
  directory = await mkdtemp(join(tmpdir(), "weft-cli-events-"));
  resources.defer(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, ".weft"));
  const at = (grpc: string) => ({ grpc, health: "127.0.0.1:1", metrics: "127.0.0.1:1" });
  const services = { order: at(order.address), edge: at(edge.address) };
  await writeFile(join(directory, ".weft/stack.json"), JSON.stringify({ services, certs: world.directory }));
});
afterAll(() => resources.disposeAsync());
beforeEach(() => {
  audited.length = 0;
  asked.length = 0;
});

async function weft(args: string[], isTerminal = false) {
  const output = { stdout: "", stderr: "" };
  const exitCode = await run(["events", ...args], {
    stdin: (async function* () {})(),
    stdout: (text) => {
      output.stdout += text;
    },
    stderr: (text) => {
      output.stderr += text;
    },
    workingDirectory: directory,
    isTerminal,
  });
  return { exitCode, ...output };
}

describe("weft events projections", () => {
  test("lists them, with who has made them and why some cannot be made again", async () => {
    const { stdout, exitCode } = await weft(["projections", "order"]);
    expect(exitCode).toBe(exitCodes.ok);
    expect(stdout).toMatch(
      /order_history +order_events +2026-11-22T09:00:00\.000Z by spiffe:\/\/test\.local\/operator/,
    );
    expect(stdout).toMatch(/views +- +as events came +cannot be made anew: nobody keeps its events/);
    expect(JSON.parse((await weft(["projections", "order", "-o", "json"])).stdout)).toMatchObject([
      { name: "order_history", tables: ["order_history"], replayedAt: "2026-11-22T09:00:00.000Z" },
      { name: "views", notRebuildableBecause: "nobody keeps its events" },
    ]);
  });
});

describe("weft events replay of a projection", () => {
  test("says how far it is in lines, and at last what was done; and it is in the audit", async () => {
    const { stdout, exitCode } = await weft(["replay", "order", "order_history", "--reason", "spoilt"]);
    expect(exitCode).toBe(exitCodes.ok);
    expect(stdout).toBe(`\
order_history: filling, 40,000 of about 98,000 events, 41,235 events/s
order_history: made anew of 100,000 events, 20,000 rows, 41,235 events/s; 2 rows that no event explains are gone
`);
    expect(asked).toEqual([{ name: "order_history", by: "spiffe://test.local/operator" }]);
    expect(audited).toEqual([
      expect.objectContaining({
        ...{ action: "ReplayProjection", target: "order_history", reason: "spoilt" },
        outcome: "100000 events, 20000 rows, 2 removed",
      }),
    ]);
  });

  test("in a terminal is one line that changes", async () => {
    const { stdout } = await weft(["replay", "order", "order_history"], true);
    expect(stdout).toContain(
      `\r\x1b[K[##########              ]  41% order_history: filling, 40,000 of about 98,000 events`,
    );
    expect(stdout.split("\n")).toHaveLength(2);
    expect(stdout.split("\r\x1b[K").at(-1)).toMatch(/^order_history: made anew of 100,000 events.*\n$/);
  });

  test("speaks JSON, a line each", async () => {
    const { stdout } = await weft(["replay", "order", "order_history", "-o", "json"]);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.at(0)).toMatchObject({ phase: "filling", done: 40_000, total: 98_000 });
    expect(lines.at(-1)).toEqual({
      phase: "done",
      done: 100_000,
      total: 100_000,
      eventsPerSecond: 41_235,
      rows: 20_000,
      removed: 2,
    });
  });

  test("that somebody else runs says who", async () => {
    const { exitCode, stderr } = await weft(["replay", "order", "other"]);
    expect(exitCode).toBe(exitCodes.callFailed);
    expect(stderr).toMatch(/^ABORTED \(10\): order_history is being made anew by ann\n(.*\n)*.*REPLAY_RUNNING/);
  });

  test("takes no range: it is made of all events", async () => {
    const { exitCode, stderr } = await weft(["replay", "order", "order_history", "--since", "2h"]);
    expect([exitCode, stderr]).toEqual([
      exitCodes.usage,
      expect.stringMatching(/--since is for publishing again.*\n.*weft events replay order order_history/),
    ]);
    expect(asked).toEqual([]);
  });
});

describe("weft events replay by time or subject", () => {
  test("publishes again, says how many, and is in the audit", async () => {
    const range = ["--since", "2026-11-22T08:00:00Z", "--until", "2026-11-22T09:00:00+00:00"];
    const { stdout, exitCode } = await weft(["replay", "order", ...range, "--subject", "shop.order.>"]);
    expect(exitCode).toBe(exitCodes.ok);
    expect(stdout).toMatch(/order: 1,250 events published again\n$/);
    const since = new Date("2026-11-22T08:00:00Z");
    const until = new Date("2026-11-22T09:00:00Z");
    expect(asked).toEqual([{ since, until, subject: "shop.order.>", limit: 100_000, dryRun: false }]);
    const target = "shop.order.>, 2026-11-22T08:00:00.000Z to 2026-11-22T09:00:00.000Z";
    expect(audited).toMatchObject([{ action: "RepublishEvents", target, dryRun: false, outcome: "1250 events" }]);
  });

  test("only counts in a dry run, and says if there are more than the limit", async () => {
    const { stdout } = await weft(["replay", "order", "--since", "2h", "--dry-run", "--limit", "1250"]);
    expect(stdout).toMatch(/order: 1,250 events would be published again; there are more than the limit\n$/);
    expect(asked).toMatchObject([{ dryRun: true, limit: 1_250, until: undefined }]);
    expect(audited).toMatchObject([{ dryRun: true, outcome: "1250 events, and there are more" }]);
  });

  test.each([
    [[], /say which events/],
    [["--since", "yesterday"], /Write "2026-11-22T09:00:00Z"/],
    [["--since", "2026-11-22T09:00:00"], /Write "2026-11-22T09:00:00Z"/],
    [["--since", "1h", "--until", "2h"], /--since is not before --until/],
    [["--since", "1h", "--limit", "0"], /from 1 to 1,000,000/],
  ])("%j is wrong usage, and nothing is asked", async (options, words) => {
    const { exitCode, stderr } = await weft(["replay", "order", ...options]);
    expect([exitCode, stderr]).toEqual([exitCodes.usage, expect.stringMatching(words)]);
    expect(asked).toEqual([]);
  });
});

describe("weft events verify", () => {
  test("lists what cannot be read, each once, and ends with 1", async () => {
    const { exitCode, stdout, stderr } = await weft(["verify", "order"]);
    expect(exitCode).toBe(exitCodes.callFailed);
    expect(stdout).toBe(`\
order_events ord_1 3, shop.order.v1.OrderPaid: nobody here knows its type
order: order_events, 500 of about 4,000 events, 1 problems
order_events ord_2 1, shop.order.v1.OrderPaid: nobody here knows its type
order: 4,100 stored events, 2 cannot be read without loss
`);
    expect(stderr).toMatch(/2 stored events cannot be read without loss\n.*tools\/check\/README\.md/);
  });
});

describe("whoever is not the operator", () => {
  test.each([
    [["projections", "order"]],
    [["replay", "order", "order_history"]],
    [["replay", "order", "--since", "1h"]],
    [["verify", "order"]],
  ])("is refused %j", async (args) => {
    const { exitCode, stderr } = await weft([...args, "--certs", join(world.directory, "somebody")]);
    expect([exitCode, stderr]).toEqual([exitCodes.callFailed, expect.stringMatching(/^PERMISSION_DENIED/)]);
    expect([asked, audited]).toEqual([[], []]);
  });
});

test("a service that keeps no events says so", async () => {
  for (const args of [
    ["projections", "edge"],
    ["replay", "edge", "x"],
    ["replay", "edge", "--since", "1h"],
    ["verify", "edge"],
  ]) {
    const { exitCode, stderr } = await weft(args);
    expect([exitCode, stderr]).toEqual([
      exitCodes.callFailed,
      expect.stringMatching(/edge keeps no events\n.*weft list edge/),
    ]);
  }
});

test("a line of progress that nobody watches is written once a second at most", () => {
  let nowMs = 0;
  let written = "";
  const io = {
    stdin: (async function* () {})(),
    stdout(text: string) {
      written += text;
    },
    stderr: () => {},
    workingDirectory: "",
  };
  const line = createProgressLine(io, "text", () => nowMs);
  for (; nowMs < 3_000; nowMs += 250) line.show(`at ${nowMs}`, undefined, {});
  line.end("done", {});
  expect(written).toBe("at 0\nat 1000\nat 2000\ndone\n");
});
