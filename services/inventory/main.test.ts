import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { createDatabase } from "@weft/mesh/data";
import { BadRequestSchema, ErrorInfoSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type StockReleased,
  StockReleasedSchema,
  type StockReserved,
  StockReservedSchema,
} from "../../gen/shop/inventory/v1/events_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { OrderCancelledSchema, OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";
import { seedStock } from "./store.ts";

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let inventory: Client<typeof InventoryService>;
let reserved: readonly StockReserved[];
let released: readonly StockReleased[];
let seed: (sku: string, onHand: number) => Promise<void>;

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(["inventory"]));
  resources.use(await start(loadConfig(mesh.env("inventory"))));
  reserved = await mesh.watch(StockReservedSchema);
  released = await mesh.watch(StockReleasedSchema);
  inventory = await mesh.client(InventoryService, "inventory", "order");
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  const database = resources.use(createDatabase({ url: mesh.database("inventory").url, telemetry }));
  seed = (sku, onHand) => seedStock(database, [{ sku, onHand }]);
});
afterAll(() => resources.disposeAsync());

async function levelOf(sku: string) {
  const [level] = (await inventory.batchGetStock({ skus: [sku] })).levels;
  return [Number(level?.onHand), Number(level?.held), Number(level?.available)];
}
const levelBecomes = (sku: string, level: number[]) =>
  vi.waitFor(async () => expect(await levelOf(sku)).toEqual(level), 15_000);

test("stock is given in the order asked for, none of an unknown SKU", async () => {
  await seed("listed", 3);
  const { levels } = await inventory.batchGetStock({ skus: ["nothing", "listed"] });
  expect(levels).toMatchObject([
    { sku: "nothing", onHand: 0n, held: 0n, available: 0n },
    { sku: "listed", onHand: 3n, held: 0n, available: 3n },
  ]);
});

test("more than there is: each short SKU is named with wanted and available", async () => {
  await seed("scarce", 1);
  const lines = [{ sku: "scarce", quantity: 2 }];
  const error = await inventory.reserveStock({ orderId: "ord-scarce", lines }).then(() => undefined, ConnectError.from);
  expect(error?.code).toBe(Code.FailedPrecondition);
  expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([
    { reason: "OUT_OF_STOCK", metadata: { scarce: "wanted 2, available 1" } },
  ]);
  expect(error?.findDetails(BadRequestSchema)).toMatchObject([
    { fieldViolations: [{ field: "lines[0].sku", description: "wanted 2, available 1" }] },
  ]);
});

test("a reservation and its release are each told of once, however often they are asked for", async () => {
  await seed("told", 5);
  const orderId = "ord-told";
  const lines = [{ sku: "told", quantity: 2 }];
  await inventory.reserveStock({ orderId, lines });
  await inventory.reserveStock({ orderId, lines });
  expect(await levelOf("told")).toEqual([5, 2, 3]);
  await inventory.releaseStock({ orderId });
  await inventory.releaseStock({ orderId });
  expect(await levelOf("told")).toEqual([5, 0, 5]);
  await vi.waitFor(
    () => expect(released.filter((event) => event.orderId === orderId)).toMatchObject([{ lines }]),
    15_000,
  );
  expect(reserved.filter((event) => event.orderId === orderId)).toMatchObject([{ lines }]);
});

describe("an order's events", () => {
  test("confirmed: the stock leaves the warehouse; cancelled afterwards: it comes back", async () => {
    await seed("sold", 5);
    const orderId = "ord-sold";
    await inventory.reserveStock({ orderId, lines: [{ sku: "sold", quantity: 2 }] });
    await mesh.publish(OrderConfirmedSchema, { orderId });
    await levelBecomes("sold", [3, 0, 3]);
    await mesh.publish(OrderCancelledSchema, { orderId });
    await levelBecomes("sold", [5, 0, 5]);
  });

  test("cancelled: what is held is on sale again", async () => {
    await seed("cancelled", 5);
    const orderId = "ord-cancelled";
    await inventory.reserveStock({ orderId, lines: [{ sku: "cancelled", quantity: 2 }] });
    await mesh.publish(OrderCancelledSchema, { orderId });
    await levelBecomes("cancelled", [5, 0, 5]);
  });

  test("cancelled before it reserved: the late reservation is refused", async () => {
    await seed("late", 5);
    const orderId = "ord-late";
    await mesh.publish(OrderCancelledSchema, { orderId });
    const reserveLate = async () => {
      // Until the event has arrived there is nothing to refuse; what it then finds is released by it.
      await inventory.reserveStock({ orderId, lines: [{ sku: "late", quantity: 1 }] });
    };
    await vi.waitFor(() => expect(reserveLate()).rejects.toMatchObject({ code: Code.FailedPrecondition }), 15_000);
    expect(await levelOf("late")).toEqual([5, 0, 5]);
  });

  test("confirmed before its reservation is known: committed when it is delivered again", async () => {
    await seed("early", 5);
    const orderId = "ord-early";
    await mesh.publish(OrderConfirmedSchema, { orderId });
    // Consumed in this order or not, one delivery follows the reservation.
    await inventory.reserveStock({ orderId, lines: [{ sku: "early", quantity: 2 }] });
    await levelBecomes("early", [3, 0, 3]);
  });
});
