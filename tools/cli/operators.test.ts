import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { rememberingAudit } from "../../mesh/testing/audit.ts";
import { lettersOf } from "../../mesh/testing/dead-letters.ts";
import { echoRoutes } from "../../mesh/testing/echo.ts";
import { rememberedSagas } from "../../mesh/testing/sagas.ts";
import { createWorld, type World } from "../../mesh/testing/world.ts";
import { run } from "./cli.ts";
import { exitCodes } from "./failure.ts";

let resources: AsyncDisposableStack;
let world: World;
let directory: string;
let audit: ReturnType<typeof rememberingAudit>;
let there: ReturnType<typeof lettersOf>["there"];

beforeEach(async () => {
  resources = new AsyncDisposableStack();
  world = resources.use(await createWorld());
  await world.credentials("operator");
  audit = rememberingAudit(world.telemetry("audit"));
  const remembered = lettersOf(6, (id) => (id === 5n ? { outcome: "failed", detail: "still broken", kept: true } : {}));
  there = remembered.there;
  const operations = { audit, deadLetters: remembered.letters, sagas: rememberedSagas };
  const shop = await world.serve("shop", echoRoutes(), { operations });
  const plain = await world.serve("plain", echoRoutes());
  directory = await mkdtemp(join(tmpdir(), "weft-cli-"));
  resources.defer(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, ".weft"));
  await know({ shop: shop.address, plain: plain.address });
});
afterEach(() => resources.disposeAsync());

async function know(addresses: Record<string, string>): Promise<void> {
  const services = Object.fromEntries(
    Object.entries(addresses).map(([name, grpc]) => [name, { grpc, health: "127.0.0.1:1", metrics: "127.0.0.1:1" }]),
  );
  await writeFile(join(directory, ".weft/stack.json"), JSON.stringify({ services, certs: world.directory }));
}

async function weft(...args: string[]) {
  const output = { stdout: "", stderr: "" };
  const exitCode = await run(args, {
    stdin: (async function* () {})(),
    stdout: (text) => {
      output.stdout += text;
    },
    stderr: (text) => {
      output.stderr += text;
    },
    workingDirectory: directory,
    user: "ada",
  });
  return { exitCode, ...output };
}

describe("weft dlq list", () => {
  test("asks all services, leaves out those without letters, and warns of a stream that is nearly full", async () => {
    const { exitCode, stdout, stderr } = await weft("dlq", "list");
    expect(exitCode).toBe(exitCodes.ok);
    expect(stdout.split("\n")).toHaveLength(8);
    expect(stdout).toMatch(
      /^SERVICE +LETTER +GIVEN UP +SUBJECT +TRIES +TRACE +CAUSE\nshop +1 +1970-01-01T00:00:01.000Z +shop\.order/,
    );
    expect(stderr).toMatch(/90 % full.*\n +redrive or discard some/);
  });

  test("finds by cause, up to a limit, as JSON too", async () => {
    const { stdout } = await weft("dlq", "list", "shop", "--cause", "odd", "--json");
    expect(JSON.parse(stdout).map(({ service, letterId }: Record<string, string>) => [service, letterId])).toEqual([
      ["shop", "1"],
      ["shop", "3"],
      ["shop", "5"],
    ]);
    const limited = await weft("dlq", "list", "shop", "--limit", "2");
    expect(limited.stdout.trim().split("\n")).toHaveLength(3);
    expect(limited.stderr).toContain("2 of shop's 6 letters; --limit shows more");
  });

  test("tells of a service that is away, and shows the others'", async () => {
    const { address } = await world.serve("third", echoRoutes(), {
      operations: { audit, deadLetters: lettersOf(1).letters },
    });
    await know({ third: address, away: "127.0.0.1:1" });
    const { exitCode, stdout, stderr } = await weft("dlq", "list");
    expect([exitCode, stdout]).toEqual([exitCodes.unreachable, expect.stringMatching(/^third +1 /m)]);
    expect(stderr).toMatch(/cannot reach away.*\n.*make up/);
  });

  test("of a service that consumes nothing says so", async () => {
    const { exitCode, stderr } = await weft("dlq", "list", "plain");
    expect([exitCode, stderr]).toEqual([
      exitCodes.callFailed,
      expect.stringContaining("plain has no dead letters: it consumes no"),
    ]);
  });

  test("of one that has none says so", async () => {
    there.clear();
    expect((await weft("dlq", "list", "shop")).stdout).toBe("no dead letters\n");
    expect((await weft("dlq", "list", "shop", "--json")).stdout).toBe("[]\n");
  });
});

describe("weft dlq show", () => {
  test("prints facts, headers and body", async () => {
    const { exitCode, stdout } = await weft("dlq", "show", "shop", "1");
    expect(exitCode).toBe(exitCodes.ok);
    for (const part of [
      "letter     1 of shop",
      "cause      odd",
      "ord_1, version 3",
      "  a: b",
      '  "orderId": "ord_1"',
    ]) {
      expect(stdout).toContain(part);
    }
    const json = JSON.parse((await weft("dlq", "show", "shop", "1", "--json")).stdout);
    expect(json).toMatchObject({
      service: "shop",
      letterId: "1",
      cause: "odd",
      body: { orderId: "ord_1" },
      aggregateVersion: "3",
    });
  });

  test("prints what nobody can read in hexadecimal", async () => {
    expect((await weft("dlq", "show", "shop", "2")).stdout).toContain("body, not readable: unreadable\nff\n");
  });

  test("of a letter that is gone says where to look", async () => {
    const { exitCode, stderr } = await weft("dlq", "show", "shop", "99");
    expect([exitCode, stderr]).toEqual([exitCodes.callFailed, expect.stringMatching(/^NOT_FOUND.*99/)]);
    expect(stderr).toMatch(/LETTER_GONE[\s\S]*weft dlq list shop/);
  });
});

describe("weft dlq redrive", () => {
  test("by number: says what became of each, who asked is in the audit", async () => {
    const { exitCode, stdout } = await weft("dlq", "redrive", "shop", "1", "99", "2", "--reason", "it is mended");
    expect(exitCode).toBe(exitCodes.ok);
    expect(stdout).toMatch(/^1 .* HANDLED\n2 .* HANDLED\n99 +- +GONE\n2 handled, 1 gone\n$/m);
    expect([...there.keys()]).toEqual([3n, 4n, 5n, 6n]);
    expect(audit.entries).toMatchObject([
      { claimedOperator: "ada", reason: "it is mended", target: "letters 1, 99, 2" },
    ]);
  });

  test("dry: changes nothing, and says so", async () => {
    const { exitCode, stdout } = await weft("dlq", "redrive", "shop", "--cause", "even", "--dry-run");
    expect([exitCode, there.size]).toEqual([exitCodes.ok, 6]);
    expect(stdout).toContain("3 handled (dry run: nothing is changed)\n");
  });

  test("of all: one that fails again is named, with what to do, and is exit code 1", async () => {
    const { exitCode, stdout, stderr } = await weft("dlq", "redrive", "shop", "--all");
    expect([exitCode, [...there.keys()]]).toEqual([exitCodes.callFailed, [5n]]);
    expect(stdout).toMatch(/^5 .* FAILED +still broken$/m);
    expect(stderr).toMatch(/1 of 6 has failed again and stays\n.*weft dlq show shop/);
  });

  test("with more than the limit says that there are more", async () => {
    const { stdout, stderr } = await weft("dlq", "redrive", "shop", "--all", "--limit", "2");
    expect([stdout, stderr]).toEqual([
      expect.stringContaining("2 handled\n"),
      expect.stringContaining("may have more"),
    ]);
  });

  test("speaks JSON", async () => {
    const { stdout } = await weft("dlq", "redrive", "shop", "1", "--json");
    expect(JSON.parse(stdout)).toMatchObject([{ letterId: "1", outcome: "HANDLED", kept: false }]);
  });
});

describe("weft dlq discard", () => {
  test("wants a reason", async () => {
    const { exitCode, stderr } = await weft("dlq", "discard", "shop", "1");
    expect([exitCode, stderr, there.size]).toEqual([exitCodes.usage, expect.stringContaining("--reason"), 6]);
  });

  test("removes, or says what it would remove", async () => {
    const reason = ["--reason", "came from a test"];
    const dry = await weft("dlq", "discard", "shop", "--cause", "odd", "--dry-run", ...reason);
    expect([dry.stdout, there.size]).toEqual([expect.stringContaining("3 discarded (dry run: nothing is changed)"), 6]);
    const done = await weft("dlq", "discard", "shop", "--cause", "odd", ...reason);
    expect([done.exitCode, [...there.keys()]]).toEqual([exitCodes.ok, [2n, 4n, 6n]]);
  });
});

describe("weft saga", () => {
  test("lists those that are stuck, of all services that have some", async () => {
    const { exitCode, stdout, stderr } = await weft("saga", "list", "--limit", "2");
    expect([exitCode, stderr]).toEqual([exitCodes.ok, expect.stringContaining("more than 2")]);
    expect(stdout).toMatch(
      /^shop +stuck-0 +checkout +RESERVED +authorize +12 .* tried 12 times +away\nshop +stuck-1 /m,
    );
    expect((await weft("saga", "list", "shop", "--all", "--limit", "1", "--json")).stdout).toContain("all-0");
  });

  test("shows one with its steps", async () => {
    const { stdout } = await weft("saga", "show", "shop", "ord_1");
    expect(stdout).toMatch(/sagaId +ord_1\n[\s\S]*TAKEN +STEP +DETAIL\n1970-01-01T00:00:00.500Z +OrderPlaced\n/);
    expect(JSON.parse((await weft("saga", "show", "shop", "ord_1", "--json")).stdout)).toMatchObject({
      ...{ sagaId: "ord_1", steps: [{ name: "OrderPlaced" }] },
    });
  });

  test("retries and compensates, with a reason, in the audit", async () => {
    expect((await weft("saga", "retry", "shop", "ord_1")).stdout).toContain("weft saga show shop ord_1");
    expect((await weft("saga", "compensate", "shop", "ord_2")).exitCode).toBe(exitCodes.usage);
    expect((await weft("saga", "compensate", "shop", "ord_2", "--reason", "customer called")).stdout).toContain(
      "CANCELLED",
    );
    const refused = await weft("saga", "compensate", "shop", "paid", "--reason", "customer called");
    expect([refused.exitCode, refused.stderr]).toEqual([
      exitCodes.callFailed,
      expect.stringContaining("FAILED_PRECONDITION"),
    ]);
    expect(audit.entries.map(({ action, target, claimedOperator }) => [action, target, claimedOperator])).toEqual([
      ["RetrySaga", "ord_1", "ada"],
      ["CompensateSaga", "ord_2", "ada"],
      ["CompensateSaga", "paid", "ada"],
    ]);
  });

  test("of an unknown one, or of a service that has none, says what to do", async () => {
    expect((await weft("saga", "show", "shop", "none")).stderr).toMatch(
      /SAGA_NOT_FOUND[\s\S]*weft saga list shop --all/,
    );
    expect((await weft("saga", "list", "plain")).stderr).toContain("plain has no sagas");
  });
});

describe("weft audit", () => {
  test("shows who did what, newest first", async () => {
    expect((await weft("audit", "shop")).stdout).toBe("no operator has changed anything at shop\n");
    await weft("dlq", "redrive", "shop", "1", "--dry-run");
    await weft("saga", "compensate", "shop", "paid", "--reason", "customer called");
    const { stdout } = await weft("audit", "shop");
    expect(stdout).toMatch(/^BEGAN +WHO +ACTION +TARGET +OUTCOME +REASON +TRACE\n/);
    expect(stdout).toMatch(
      /ada +CompensateSaga +paid +FAILED FailedPrecondition: it is paid +customer called +[0-9a-f]{32}\n/,
    );
    expect(stdout).toMatch(/ada +RedriveDeadLetters \(dry run\) +letters 1 +1 handled +- /);
    expect(JSON.parse((await weft("audit", "shop", "--json", "--limit", "1")).stdout)).toMatchObject([
      { target: "paid" },
    ]);
  });

  test("of a service without a schema says where it is", async () => {
    expect((await weft("audit", "plain")).stderr).toContain("plain has no schema");
  });
});

test.each([
  [["dlq", "redrive", "shop"], "which letters?"],
  [["dlq", "redrive", "shop", "1", "--all"], "not both"],
  [["dlq", "redrive", "shop", "one"], "number"],
  [["dlq", "list", "shop", "--since", "yesterday"], "how long ago"],
  [["dlq", "list", "shop", "--limit", "0"], "1 to"],
  [["dlq", "list", "shpo"], "did you mean shop"],
  [["dlq"], "redrive"],
  [["dlq", "nothing"], "unknown command"],
])("%j is wrong usage, and says what is right", async (args, words) => {
  const { exitCode, stderr } = await weft(...args);
  expect([exitCode, stderr]).toEqual([exitCodes.usage, expect.stringContaining(words)]);
  expect(there.size).toBe(6);
});

test("help tells of options and exit codes, of commands within commands too", async () => {
  const { exitCode, stdout } = await weft("dlq", "redrive", "--help");
  expect(exitCode).toBe(exitCodes.ok);
  for (const part of ["--dry-run", "--cause", "Exit codes:"]) expect(stdout).toContain(part);
});
