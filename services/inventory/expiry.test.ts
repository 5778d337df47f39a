import type { Client } from "@connectrpc/connect";
import { createDatabase, type Database } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  type StockLow,
  StockLowSchema,
  type StockReleased,
  StockReleasedSchema,
} from "../../gen/shop/inventory/v1/events_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { OrderConfirmedSchema, OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";
import { seedStock } from "./store.ts";

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let inventory: Client<typeof InventoryService>;
let released: readonly StockReleased[];
let low: readonly StockLow[];
let database: Database;
let seed: (sku: string, onHand: number) => Promise<void>;

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(["inventory"]));
  const settings = { RESERVATION_TTL_MS: "2000", RESERVATION_SWEEP_INTERVAL_MS: "100", STOCK_LOW_THRESHOLD: "3" };
  const env = { ...mesh.env("inventory"), ...settings };
  resources.use(await start(loadConfig(env)));
  // A second instance sweeps the same reservations.
  const address = async () => `127.0.0.1:${await freePort()}`;
  const addresses = {
    WEFT_GRPC_ADDR: await address(),
    WEFT_HEALTH_ADDR: await address(),
    WEFT_METRICS_ADDR: await address(),
  };
  resources.use(await start(loadConfig({ ...env, ...addresses })));
  released = await mesh.watch(StockReleasedSchema);
  low = await mesh.watch(StockLowSchema);
  inventory = await mesh.client(InventoryService, "inventory", "order");
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: mesh.database("inventory").url, telemetry }));
  seed = (sku, onHand) => seedStock(database, [{ sku, onHand }]);
});
afterAll(() => resources.disposeAsync());

async function levelOf(sku: string) {
  const [level] = (await inventory.batchGetStock({ skus: [sku] })).levels;
  return [Number(level?.onHand), Number(level?.held)];
}
const levelBecomes = (sku: string, level: number[]) =>
  vi.waitFor(async () => expect(await levelOf(sku)).toEqual(level), 15_000);

test("what is held for no order comes back on sale by itself, told of once; an order's stays", async () => {
  await seed("shelf", 10);
  await mesh.publish(OrderPlacedSchema, { orderId: "ord-real" });
  const known = () => database.query("test.known", "SELECT order_id FROM known_orders");
  await vi.waitFor(async () => expect(await known()).toEqual([{ order_id: "ord-real" }]), 15_000);
  await inventory.reserveStock({ orderId: "ord-real", lines: [{ sku: "shelf", quantity: 3 }] });
  const ghosts = ["ord-ghost-1", "ord-ghost-2", "ord-ghost-3"];
  for (const orderId of ghosts) await inventory.reserveStock({ orderId, lines: [{ sku: "shelf", quantity: 1 }] });
  expect(await levelOf("shelf")).toEqual([10, 6]);
  await levelBecomes("shelf", [10, 3]);
  await vi.waitFor(() => expect(released.map(({ orderId }) => orderId).sort()).toEqual(ghosts), 15_000);
  // Older than what has expired by now, and still there.
  await mesh.publish(OrderConfirmedSchema, { orderId: "ord-real" });
  await levelBecomes("shelf", [7, 0]);
  expect(released).toHaveLength(3);
});

test("a product of which little is left is told of once", async () => {
  await seed("scarce", 5);
  await inventory.reserveStock({ orderId: "ord-low-1", lines: [{ sku: "scarce", quantity: 1 }] });
  await inventory.reserveStock({ orderId: "ord-low-2", lines: [{ sku: "scarce", quantity: 1 }] });
  await inventory.reserveStock({ orderId: "ord-low-3", lines: [{ sku: "scarce", quantity: 1 }] });
  await seed("later", 4);
  await inventory.reserveStock({ orderId: "ord-low-4", lines: [{ sku: "later", quantity: 4 }] });
  // When this later one has arrived, a second of the first would have too.
  await vi.waitFor(() => expect(low.some(({ sku }) => sku === "later")).toBe(true), 15_000);
  expect(low.map(({ sku, available }) => [sku, Number(available)])).toEqual([
    ["scarce", 3],
    ["later", 0],
  ]);
});
