import { Code, ConnectError } from "@connectrpc/connect";
import { createDatabase, type Database, migrate } from "@weft/mesh/data";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import { createImportStore } from "./import-store.ts";
import { type ImportBatch, type ImportDeps, importStock, type ReceivedStock } from "./stock-import.ts";
import { createStockStore, seedStock } from "./store.ts";

const telemetry = createTelemetry({ service: "inventory", write: () => {} });
const resources = new AsyncDisposableStack();
let database: Database;
let deps: ImportDeps;
/** What the rest of the shop hears, once it is committed. */
const told: { importId: string; lines: readonly ReceivedStock[] }[] = [];

beforeAll(async () => {
  const schema = resources.use(await testDatabase("inventory"));
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "inventory", directory, logger: telemetry.logger });
  const events: ImportDeps["events"] = {
    stockReceived: async (tx, importId, lines) => tx.afterCommit(() => told.push({ importId, lines })),
  };
  deps = { database, imports: createImportStore(database), events };
});
afterAll(() => resources.disposeAsync());

let names = 0;
const fresh = (prefix: string) => `${prefix}-${++names}`;

/** SKUs that no other test has, with nothing on hand. */
async function freshSkus(count: number): Promise<string[]> {
  const skus = Array.from({ length: count }, () => fresh("SKU"));
  await seedStock(
    database,
    skus.map((sku) => ({ sku, onHand: 0 })),
  );
  return skus;
}

type Line = [sku: string, quantity: number | bigint];

async function* batches(importId: string, lines: readonly Line[], size: number, from = 0): AsyncGenerator<ImportBatch> {
  for (let i = from; i < lines.length; i += size) {
    const piece = lines.slice(i, i + size).map(([sku, quantity]) => ({ sku, quantity: BigInt(quantity) }));
    yield { importId, firstLine: BigInt(i + 1), lines: piece };
  }
}

const run = (importId: string, lines: readonly Line[], size = 1_000) =>
  importStock(deps, batches(importId, lines, size));

async function onHand(...skus: string[]): Promise<number[]> {
  const levels = new Map((await createStockStore(database).findLevels(skus)).map((level) => [level.sku, level.onHand]));
  return skus.map((sku) => Number(levels.get(sku) ?? -1));
}

const failure = async (work: Promise<unknown>) => {
  const error = await work.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("the import succeeded");
  return [error.code, error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field];
};

describe("importStock()", () => {
  test("adds every good line, several of one SKU too, and names each bad one with its line and reason", async () => {
    const [a = "", b = ""] = await freshSkus(2);
    const unknown = fresh("NEW");
    const lines: Line[] = [
      [a, 5],
      ["", 1],
      [b, 1_000_000],
      ["A B", 1],
      [a, 0],
      [b, -7],
      [b, 1_000_001],
      [unknown, 1],
      [a, 2],
      [`${a} `, 1],
      ["x".repeat(65), 1],
      [b, 9_223_372_036_854_775_807n],
    ];
    expect(await run(fresh("import"), lines)).toEqual({
      accepted: 3n,
      rejectedCount: 9n,
      rejected: [
        { line: 2, sku: "", reason: "no SKU" },
        { line: 4, sku: "A B", reason: "malformed SKU" },
        { line: 5, sku: a, reason: "quantity 0 is not above 0" },
        { line: 6, sku: b, reason: "quantity -7 is not above 0" },
        { line: 7, sku: b, reason: "quantity 1000001 is above 1000000" },
        { line: 8, sku: unknown, reason: "unknown SKU" },
        { line: 10, sku: `${a} `, reason: "malformed SKU" },
        { line: 11, sku: "x".repeat(64), reason: "malformed SKU" },
        { line: 12, sku: b, reason: "quantity 9223372036854775807 is above 1000000" },
      ],
    });
    expect(await onHand(a, b, unknown)).toEqual([7, 1_000_000, -1]);
  });

  test("takes nothing twice when the same import is run again, and answers the same", async () => {
    const [a = "", b = ""] = await freshSkus(2);
    const lines: Line[] = Array.from({ length: 50 }, (_, i) => [i % 7 === 0 ? "bad sku" : i % 2 ? a : b, 1]);
    const importId = fresh("import");
    const first = await run(importId, lines, 10);
    const levels = await onHand(a, b);
    expect(await run(importId, lines, 10)).toEqual(first);
    expect(await run(importId, lines, 7)).toEqual(first);
    expect(await run(importId, lines, 1_000)).toEqual(first);
    expect(await onHand(a, b)).toEqual(levels);
  });

  test("tells once of each batch what came in, SKU by SKU, and what can be ordered since", async () => {
    const [a = "", b = ""] = await freshSkus(2);
    await database.execute("test.hold", "UPDATE stock SET on_hand = 10, held = 4 WHERE sku = ?", [b]);
    const lines: Line[] = [
      [b, 1],
      [a, 2],
      [b, 3],
      [a, 0],
      [a, 5],
    ];
    const importId = fresh("import");
    await run(importId, lines, 4);
    await run(importId, lines, 3);
    const own = told.filter((event) => event.importId === importId);
    expect(own.map((event) => event.lines)).toEqual([
      [
        { sku: a, quantity: 2, available: 2n },
        { sku: b, quantity: 4, available: 10n },
      ],
      [{ sku: a, quantity: 5, available: 7n }],
    ]);
  });

  test("tells nothing of a batch that brought nothing", async () => {
    const importId = fresh("import");
    await run(importId, [["", 1]]);
    expect(told.filter((event) => event.importId === importId)).toEqual([]);
  });

  test("takes the same lines again under another name: it is another delivery", async () => {
    const [a = ""] = await freshSkus(1);
    await run(fresh("import"), [[a, 2]]);
    await run(fresh("import"), [[a, 2]]);
    expect(await onHand(a)).toEqual([4]);
  });

  test("keeps the batches before a client's death, and a second run brings the rest", async () => {
    const [a = ""] = await freshSkus(1);
    const lines: Line[] = Array.from({ length: 100 }, () => [a, 1]);
    const importId = fresh("import");
    async function* dying() {
      let sent = 0;
      for await (const batch of batches(importId, lines, 9)) {
        if (sent++ === 5) throw new Error("killed");
        yield batch;
      }
    }
    await expect(importStock(deps, dying())).rejects.toThrow("killed");
    expect(await onHand(a)).toEqual([45]);
    expect(await run(importId, lines, 10)).toEqual({ accepted: 100n, rejectedCount: 0n, rejected: [] });
    expect(await onHand(a)).toEqual([100]);
  });

  test("counts what an earlier run has brought when only the rest is sent", async () => {
    const [a = ""] = await freshSkus(1);
    const lines: Line[] = Array.from({ length: 30 }, (_, i) => [i === 3 ? "" : a, 1]);
    const importId = fresh("import");
    await run(importId, lines.slice(0, 20), 10);
    const summary = await importStock(deps, batches(importId, lines, 10, 20));
    expect(summary).toEqual({ accepted: 29n, rejectedCount: 1n, rejected: [{ line: 4, sku: "", reason: "no SKU" }] });
  });

  test("takes a rejected line once it is put right, and no line whose text has changed since it was taken", async () => {
    const [a = ""] = await freshSkus(1);
    const late = fresh("LATE");
    const importId = fresh("import");
    await run(importId, [
      [a, 1],
      [late, 3],
      [a, 0],
    ]);
    await seedStock(database, [{ sku: late, onHand: 0 }]);
    const summary = await run(importId, [
      [a, 1_000],
      [late, 3],
      [a, -1],
    ]);
    expect(summary).toEqual({
      accepted: 2n,
      rejectedCount: 1n,
      rejected: [{ line: 3, sku: a, reason: "quantity -1 is not above 0" }],
    });
    expect(await onHand(a, late)).toEqual([1, 3]);
  });

  test("of one import by two clients at once takes each line once", async () => {
    const skus = await freshSkus(20);
    const lines: Line[] = Array.from({ length: 400 }, (_, i) => [skus[(i * 7) % 20] ?? "", 1]);
    const importId = fresh("import");
    await Promise.all([run(importId, lines, 30), run(importId, lines, 50), run(importId, lines, 400)]);
    expect(await onHand(...skus)).toEqual(skus.map(() => 20));
    expect((await run(importId, lines)).accepted).toBe(400n);
  });

  test("names the first thousand of many bad lines, and counts all", async () => {
    const lines: Line[] = Array.from({ length: 2_500 }, () => ["", 1]);
    const summary = await run(fresh("import"), lines);
    expect([summary.accepted, summary.rejectedCount, summary.rejected.length]).toEqual([0n, 2_500n, 1_000]);
    expect(summary.rejected.at(-1)?.line).toBe(1_000);
  });

  test("refuses an import of nothing, one that changes its name, and lines numbered beyond counting", async () => {
    const [a = ""] = await freshSkus(1);
    const line = { sku: a, quantity: 1n };
    const of = async function* (...all: ImportBatch[]) {
      yield* all;
    };
    expect(await failure(importStock(deps, of()))).toEqual([Code.InvalidArgument, "import_id"]);
    const first = { importId: fresh("import"), firstLine: 1n, lines: [line] };
    const other = { importId: fresh("import"), firstLine: 2n, lines: [line] };
    expect(await failure(importStock(deps, of(first, other)))).toEqual([Code.InvalidArgument, "import_id"]);
    expect(await onHand(a)).toEqual([1]);
    const beyond = { ...first, firstLine: 2n ** 63n };
    expect(await failure(importStock(deps, of(beyond)))).toEqual([Code.InvalidArgument, "first_line"]);
    expect((await importStock(deps, of({ ...first, firstLine: 1_000_000_000n }))).accepted).toBe(2n);
  });

  test("ends with every good line in stock once, however often it is cut off and however it is cut up", async () => {
    const attempt = fc.record({
      size: fc.integer({ min: 1, max: 12 }),
      from: fc.nat(30),
      /** Batches sent before the client dies. */
      sent: fc.nat(8),
    });
    const property = fc.asyncProperty(
      fc.array(fc.integer({ min: -1, max: 4 }), { minLength: 1, maxLength: 40 }),
      fc.array(attempt, { maxLength: 5 }),
      async (quantities, attempts) => {
        const [a = ""] = await freshSkus(1);
        const lines = quantities.map((quantity): Line => [a, quantity]);
        const importId = fresh("import");
        for (const { size, from, sent } of attempts) {
          const cut = async function* () {
            let count = 0;
            for await (const batch of batches(importId, lines, size, from)) {
              if (count++ === sent) return;
              yield batch;
            }
          };
          // Where nothing is sent there is nothing to sum up.
          await importStock(deps, cut()).catch(() => {});
        }
        const summary = await run(importId, lines, 17);
        const good = quantities.filter((quantity) => quantity > 0);
        expect(summary).toMatchObject({
          accepted: BigInt(good.length),
          rejectedCount: BigInt(quantities.length - good.length),
        });
        expect(summary.rejected.map(({ line }) => quantities[line - 1] ?? 1).every((quantity) => quantity <= 0)).toBe(
          true,
        );
        expect(await onHand(a)).toEqual([good.reduce((sum, quantity) => sum + quantity, 0)]);
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
});
