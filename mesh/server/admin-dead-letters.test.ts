import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RedrivenDeadLetter } from "../contract/dead-letters.ts";
import { errorReason, rpcError } from "../contract/errors.ts";
import { DeadLetterService, RedriveOutcome } from "../gen/weft/admin/v1/dead_letters_pb.ts";
import { rememberingAudit } from "../testing/audit.ts";
import { lettersOf } from "../testing/dead-letters.ts";
import { echoRoutes } from "../testing/echo.ts";
import { failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

async function serve(count: number, redriven?: (id: bigint) => Partial<RedrivenDeadLetter>) {
  const { letters, there } = lettersOf(count, redriven);
  const audit = rememberingAudit(world.telemetry("audit"));
  await world.serve("shop", echoRoutes(), { operations: { audit, deadLetters: letters } });
  const clientOf = async (name: string) => createClient(DeadLetterService, (await world.mesh(name)).transport("shop"));
  return { operator: await clientOf("operator"), clientOf, audit, there };
}

const ids = (...letterIds: bigint[]) => ({ which: { case: "ids", value: { letterIds } } }) as const;
const filter = (value: object = {}) => ({ which: { case: "filter", value } }) as const;

test("lists page after page, with the total and how full the stream is; a token is good for its filter only", async () => {
  const { operator } = await serve(5);
  const first = await operator.listDeadLetters({ filter: { cause: "odd" }, pageSize: 2 });
  expect(first).toMatchObject({
    letters: [{ letterId: 1n }, { letterId: 3n }],
    total: 5n,
    streamBytes: 90n,
    streamBytesMax: 100n,
  });
  const second = await operator.listDeadLetters({ filter: { cause: "odd" }, pageToken: first.nextPageToken });
  expect([second.letters.map(({ letterId }) => letterId), second.nextPageToken]).toEqual([[5n], ""]);
  const error = await failure(operator.listDeadLetters({ pageToken: first.nextPageToken }));
  expect([error.code, errorReason(error)]).toEqual([Code.InvalidArgument, "PAGE_TOKEN_INVALID"]);
});

test("shows a letter's body, headers and envelope, or why it cannot be read; one that is gone is NOT_FOUND", async () => {
  const { operator } = await serve(2);
  expect(await operator.getDeadLetter({ letterId: 1n })).toMatchObject({
    body: { case: "bodyJson", value: '{"orderId":"ord_1"}' },
    headers: { a: "b" },
    ...{ eventType: "T", aggregateId: "ord_1", aggregateVersion: 3n, occurredAt: timestampFromDate(new Date(5)) },
  });
  expect(await operator.getDeadLetter({ letterId: 2n })).toMatchObject({
    ...{ body: { case: "bodyHex", value: "ff" }, bodyProblem: "unreadable", eventType: "" },
  });
  const error = await failure(operator.getDeadLetter({ letterId: 9n }));
  expect([error.code, errorReason(error)]).toEqual([Code.NotFound, "LETTER_GONE"]);
});

describe("redriving", () => {
  test("takes letters by id; of several, one that is gone is an outcome, the only one an error", async () => {
    const { operator, there, audit } = await serve(3);
    const { letters, more } = await operator.redriveDeadLetters({ ...ids(1n, 9n, 3n, 1n), reason: "fixed" });
    expect(letters.map(({ letterId, outcome }) => [letterId, outcome])).toEqual([
      [1n, RedriveOutcome.HANDLED],
      [3n, RedriveOutcome.HANDLED],
      [9n, RedriveOutcome.GONE],
    ]);
    expect([more, [...there.keys()]]).toEqual([false, [2n]]);
    const error = await failure(operator.redriveDeadLetters(ids(1n)));
    expect([error.code, errorReason(error)]).toEqual([Code.NotFound, "LETTER_GONE"]);
    expect(audit.entries).toMatchObject([
      {
        action: "RedriveDeadLetters",
        target: "letters 1, 9, 3, 1",
        reason: "fixed",
        outcome: "2 handled, 1 gone",
        dryRun: false,
      },
      { outcome: "1 gone" },
    ]);
  });

  test("takes letters by filter up to a limit, and those that fail again do not come twice", async () => {
    const failing = (id: bigint): Partial<RedrivenDeadLetter> =>
      id < 10n ? { outcome: "failed", detail: "still broken", kept: true } : {};
    const { operator, there, audit } = await serve(300, failing);
    const some = await operator.redriveDeadLetters({ ...filter({ cause: "odd" }), limit: 10 });
    expect([some.letters.length, some.more, some.letters[0]?.detail]).toEqual([10, true, "still broken"]);
    const all = await operator.redriveDeadLetters({ ...filter(), limit: 1_000 });
    expect([all.letters.length, all.more, there.size]).toEqual([295, false, 9]);
    expect(audit.entries.map(({ target, outcome }) => [target, outcome])).toEqual([
      ['at most 10 letters with "odd"', "5 failed, 5 handled"],
      ["at most 1000 letters", "9 failed, 286 handled"],
    ]);
  });

  test("dry, it changes nothing and is in the audit as that", async () => {
    const { operator, there, audit } = await serve(3);
    const { letters } = await operator.redriveDeadLetters({ ...filter(), dryRun: true });
    expect(letters.map(({ kept }) => kept)).toEqual([true, true, true]);
    expect([there.size, audit.entries]).toMatchObject([3, [{ dryRun: true, outcome: "3 handled" }]]);
  });

  test("that is stopped half-way tells what was done before, and why it stopped", async () => {
    const { operator, audit } = await serve(5, (id) => {
      if (id < 3n) return {};
      throw rpcError(Code.Unavailable, "the database is not available", { reason: "DATABASE_UNAVAILABLE" });
    });
    const stopped = await operator.redriveDeadLetters(filter());
    expect(stopped).toMatchObject({ letters: [{ letterId: 1n }, { letterId: 2n }], more: true });
    expect(stopped.stoppedBecause).toContain("database");
    expect(audit.entries[0]?.outcome).toContain("2 handled; stopped: ");
    expect((await failure(operator.redriveDeadLetters(filter()))).code).toBe(Code.Unavailable);
    expect(audit.entries[1]).toMatchObject({ failed: true });
  });

  test("ends before the call's time does", async () => {
    const { operator } = await serve(5);
    const short = await operator.redriveDeadLetters(filter(), { timeoutMs: 5_000 });
    expect(short).toMatchObject({
      letters: [{ letterId: 1n }],
      more: true,
      stoppedBecause: expect.stringContaining("time"),
    });
  });
});

describe("discarding", () => {
  test("removes letters for good, with a reason in the audit", async () => {
    const { operator, there, audit } = await serve(4);
    const dry = await operator.discardDeadLetters({ ...filter({ cause: "even" }), dryRun: true, reason: "of a test" });
    expect([dry.letters.map(({ letterId }) => letterId), there.size]).toEqual([[2n, 4n], 4]);
    const done = await operator.discardDeadLetters({ ...ids(2n, 8n), reason: "of a test" });
    expect([done.letters.map(({ letterId }) => letterId), done.goneIds, [...there.keys()]]).toEqual([
      [2n],
      [8n],
      [1n, 3n, 4n],
    ]);
    expect(errorReason(await failure(operator.discardDeadLetters({ ...ids(2n), reason: "of a test" })))).toBe(
      "LETTER_GONE",
    );
    expect(audit.entries.map(({ reason, outcome, dryRun }) => [reason, outcome, dryRun])).toEqual([
      ["of a test", "2 discarded", true],
      ["of a test", "1 discarded, 1 gone", false],
      ["of a test", "1 gone", false],
    ]);
  });

  test("without a reason is refused", async () => {
    const { operator, there } = await serve(1);
    const error = await failure(operator.discardDeadLetters(ids(1n)));
    expect([error.code, error.message, there.size]).toEqual([
      Code.InvalidArgument,
      expect.stringContaining("reason"),
      1,
    ]);
  });
});

test("what makes no sense is refused: no selection, a subject that is none, too many ids", async () => {
  const { operator } = await serve(1);
  const requests = [
    {},
    ids(),
    ids(0n),
    ids(...Array.from({ length: 101 }, (_, id) => BigInt(id + 1))),
    filter({ subject: "a b" }),
  ];
  for (const request of requests) {
    expect((await failure(operator.redriveDeadLetters(request))).code).toBe(Code.InvalidArgument);
  }
  expect((await failure(operator.listDeadLetters({ filter: { subject: "dead.>.x" } }))).code).toBe(
    Code.InvalidArgument,
  );
});

test("nobody but an operator is let in", async () => {
  const { clientOf, there, audit } = await serve(1);
  const other = await clientOf("order");
  const reason = "because";
  const calls = [
    () => other.listDeadLetters({}),
    () => other.getDeadLetter({ letterId: 1n }),
    () => other.redriveDeadLetters(ids(1n)),
    () => other.discardDeadLetters({ ...ids(1n), reason }),
  ];
  for (const call of calls) expect(errorReason(await failure(call()))).toBe("OPERATOR_ONLY");
  expect([there.size, audit.entries]).toEqual([1, []]);
});
