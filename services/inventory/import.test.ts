import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { createDatabase, type Database } from "@weft/mesh/data";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type StockReceived, StockReceivedSchema } from "../../gen/shop/inventory/v1/events_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { type FigureRow, recordFigures } from "../../tools/dev/testing/figures.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";
import { seedStock } from "./store.ts";
import { importMessages, type LargeImport } from "./testing/import-client.ts";

const skuCount = 5_000;
const lineCount = 100_000;
const badLines = Array.from({ length: 37 }, (_, i) => 1 + i * 2_711);

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let inventory: Client<typeof InventoryService>;
let database: Database;
let skus: string[];
let received: readonly StockReceived[];
const figures: FigureRow[] = [];

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(["inventory"]));
  resources.use(await start(loadConfig(mesh.env("inventory"))));
  inventory = await mesh.client(InventoryService, "inventory", "operator");
  received = await mesh.watch(StockReceivedSchema);
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: mesh.database("inventory").url, telemetry }));
});
afterAll(async () => {
  await resources.disposeAsync();
  if (figures.length > 0) await recordFigures("stock-import", figures);
});

async function freshSkus(prefix: string): Promise<void> {
  skus = Array.from({ length: skuCount }, (_, i) => `${prefix}-${i}`);
  await seedStock(
    database,
    skus.map((sku) => ({ sku, onHand: 0 })),
  );
}

/** What is on hand of the SKUs of this test: how many different numbers, and their sum. */
async function stock(prefix: string) {
  const [row] = await database.query<{ sum: string; lowest: string; highest: string }>(
    "test.stock",
    "SELECT SUM(on_hand) AS sum, MIN(on_hand) AS lowest, MAX(on_hand) AS highest FROM stock WHERE sku LIKE ?",
    [`${prefix}-%`],
  );
  return { sum: Number(row?.sum), lowest: Number(row?.lowest), highest: Number(row?.highest) };
}

async function* stream(request: LargeImport) {
  yield* importMessages(request);
}

/** What the events of an import tell of each SKU, added up. */
async function expectToldOnce(prefix: string, importId: string): Promise<void> {
  const rows = await database.query<{ sku: string; on_hand: string }>(
    "test.levels",
    "SELECT sku, on_hand FROM stock WHERE sku LIKE ?",
    [`${prefix}-%`],
  );
  const levels = new Map(rows.map(({ sku, on_hand }) => [sku, BigInt(on_hand)]));
  const sums = () => {
    const told = new Map<string, bigint>();
    for (const { lines } of received.filter((event) => event.importId === importId)) {
      for (const { sku, quantity } of lines) told.set(sku, (told.get(sku) ?? 0n) + quantity);
    }
    return told;
  };
  await vi.waitFor(() => expect(sums()).toEqual(levels), { timeout: 30_000, interval: 100 });
}

const seconds = (ms: number) => (ms / 1_000).toFixed(1);
const perSku = lineCount / skuCount;

test("100,000 lines with 37 bad ones: imported within seconds, and the 37 named", { timeout: 120_000 }, async () => {
  await freshSkus("large");
  const request = { importId: "import-large", skus, lineCount, bad: badLines };
  const startedMs = performance.now();
  const summary = await inventory.importStock(stream(request));
  const tookMs = performance.now() - startedMs;
  const events = () => received.filter(({ importId }) => importId === request.importId).length;
  expect([summary.accepted, summary.rejectedCount]).toEqual([BigInt(lineCount - 37), 37n]);
  expect(summary.rejected.map(({ line }) => Number(line))).toEqual(badLines);
  expect(new Set(summary.rejected.map(({ reason }) => reason))).toEqual(new Set(["quantity 0 is not above 0"]));
  expect(await stock("large")).toMatchObject({ sum: lineCount - 37, highest: perSku });
  await expectToldOnce("large", request.importId);
  expect(events()).toBe(lineCount / 1_000);
  figures.push({ import: "100,000 lines, 37 bad", seconds: seconds(tookMs), named: summary.rejected.length });
});

test("a client killed half-way and run again doubles no line", { timeout: 120_000 }, async () => {
  await freshSkus("killed");
  const request = { importId: "import-killed", skus, lineCount, bad: badLines };
  const env = mesh.env("inventory");
  const client = spawn(process.execPath, [fileURLToPath(new URL("./testing/import-client.ts", import.meta.url))], {
    env: { ...process.env, ...env, ADDRESS: env.WEFT_GRPC_ADDR, IMPORT: JSON.stringify(request) },
    stdio: ["ignore", "inherit", "inherit"],
  });
  resources.defer(() => void client.kill("SIGKILL"));
  const exited = once(client, "exit");
  await vi.waitFor(
    async () => {
      expect(client.exitCode).toBeNull();
      expect((await stock("killed")).sum).toBeGreaterThan(40_000);
    },
    { timeout: 60_000, interval: 20 },
  );
  client.kill("SIGKILL");
  await exited;
  const { sum: before } = await stock("killed");
  expect(before).toBeLessThan(lineCount - 37);
  const startedMs = performance.now();
  const summary = await inventory.importStock(stream(request));
  expect([summary.accepted, summary.rejectedCount]).toEqual([BigInt(lineCount - 37), 37n]);
  figures.push({
    ...{
      import: `killed after ${before.toLocaleString("en")}, run again`,
      seconds: seconds(performance.now() - startedMs),
    },
    named: summary.rejected.length,
  });
  expect(await stock("killed")).toMatchObject({ sum: lineCount - 37, highest: perSku });
  await expectToldOnce("killed", request.importId);
});

describe("a bad message", () => {
  const line = { sku: "A", quantity: 1n };
  const good = { importId: "import-bad", firstLine: 1n, lines: [line] };
  test.each([
    ["without a name", { ...good, importId: "" }, "import_id"],
    ["with a name that is none", { ...good, importId: "../../etc" }, "import_id"],
    ["without a number", { ...good, firstLine: 0n }, "first_line"],
    ["numbered beyond counting", { ...good, firstLine: 2n ** 64n - 1n }, "first_line"],
    ["without lines", { ...good, lines: [] }, "lines"],
    ["with too many lines", { ...good, lines: Array(1_001).fill(line) }, "lines"],
  ])("%s is refused, naming the field", async (_, message, field) => {
    const only = (async function* () {
      yield message;
    })();
    const error = await inventory.importStock(only).then(() => undefined, ConnectError.from);
    const violations = error?.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations) ?? [];
    expect([error?.code, violations.map((violation) => violation.field)]).toEqual([Code.InvalidArgument, [field]]);
  });

  test("is none at all", async () => {
    const error = await inventory.importStock((async function* () {})()).then(() => undefined, ConnectError.from);
    expect(error?.code).toBe(Code.InvalidArgument);
  });
});
