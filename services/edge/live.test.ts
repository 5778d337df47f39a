import { Code, type Transport } from "@connectrpc/connect";
import { createBroker, createDirectPublisher, type DirectPublisher } from "@weft/mesh/events";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FollowResponse } from "../../gen/shop/api/v1/live_pb.ts";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { PriceChangedSchema, ProductUpdatedSchema } from "../../gen/shop/catalog/v1/events_pb.ts";
import {
  StockReceivedSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from "../../gen/shop/inventory/v1/events_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { startNats, type TestEngine } from "../../tools/dev/testing/engines.ts";
import { type Follower, openConnection, startFollowing } from "./testing/follower.ts";
import { startTestEdge, type TestEdge } from "./testing.ts";

const resources = new AsyncDisposableStack();
let edge: TestEdge;
let nats: TestEngine;
let publisher: DirectPublisher;

/** The shop as it is. A product that is not here costs 1.00 and there are 10 of it. */
const prices = new Map<string, bigint>();
const stock = new Map<string, bigint>();
const names = new Map<string, string>();

beforeAll(async () => {
  nats = resources.use(await startNats());
  edge = resources.use(
    await startTestEdge(
      {
        catalog: (router) =>
          router.service(CatalogService, {
            batchGetProducts({ skus }) {
              const known = skus.filter((sku) => sku !== "NONE");
              return {
                products: known.map((sku) => ({
                  ...{ sku, name: names.get(sku) ?? sku },
                  price: { currencyCode: "EUR", minorUnits: prices.get(sku) ?? 100n },
                })),
              };
            },
          }),
        inventory: (router) =>
          router.service(InventoryService, {
            batchGetStock: ({ skus }) => ({ levels: skus.map((sku) => ({ sku, available: stock.get(sku) ?? 10n })) }),
          }),
      },
      { NATS_URL: nats.url },
    ),
  );
  const telemetry = resources.use(createTelemetry({ service: "test", write: () => undefined }));
  const broker = resources.use(createBroker({ url: nats.url, service: "test", telemetry }));
  publisher = resources.use(createDirectPublisher({ broker, telemetry }));
});
afterAll(() => resources.disposeAsync());

function setPrice(sku: string, minorUnits: bigint): void {
  prices.set(sku, minorUnits);
  publisher.publish(PriceChangedSchema, { sku, newPrice: { currencyCode: "EUR", minorUnits } });
}

function setStock(skus: readonly string[], available: bigint): void {
  for (const sku of skus) stock.set(sku, available);
  publisher.publish(StockReservedSchema, { orderId: "ord_1", lines: skus.map((sku) => ({ sku, quantity: 1 })) });
}

/** One caller who follows products over gRPC, and keeps all that it hears. */
function follow(transport: Transport, ...skus: string[]): Follower & { readonly heard: FollowResponse[] } {
  const heard: FollowResponse[] = [];
  return { heard, ...startFollowing(transport, skus, (state) => heard.push(state)) };
}

function openTransport() {
  const connection = openConnection(edge.url);
  resources.defer(connection.break);
  return connection;
}

const brief = ({ sku, price, available }: FollowResponse) => `${sku} ${price?.minorUnits ?? "-"} ${available ?? "-"}`;
const lastOf = ({ heard }: ReturnType<typeof follow>) => {
  const last = heard.at(-1);
  return last && brief(last);
};

describe("Follow", () => {
  test("tells products as they are, then each change of price, name and stock", async () => {
    const follower = follow(openTransport().transport, "CUP", "NONE");
    await expect.poll(() => follower.heard.map(brief)).toEqual(["CUP 100 10", "NONE - 10"]);
    // An event that was published before the edge listened says nothing: repeated until it does.
    const afterSetting = () => {
      setPrice("CUP", 450n);
      return lastOf(follower);
    };
    await expect.poll(afterSetting).toBe("CUP 450 10");
    setStock(["CUP", "OTHER"], 3n);
    await expect.poll(() => lastOf(follower)).toBe("CUP 450 3");
    stock.set("CUP", 4n);
    publisher.publish(StockReleasedSchema, { orderId: "ord_1", lines: [{ sku: "CUP", quantity: 1 }] });
    await expect.poll(() => lastOf(follower)).toBe("CUP 450 4");
    stock.set("CUP", 90n);
    publisher.publish(StockReceivedSchema, { importId: "import-1", lines: [{ sku: "CUP", quantity: 86n }] });
    await expect.poll(() => lastOf(follower)).toBe("CUP 450 90");
    names.set("CUP", "The cup");
    publisher.publish(ProductUpdatedSchema, { sku: "CUP", name: "The cup" });
    await expect.poll(() => follower.heard.at(-1)?.name).toBe("The cup");
    follower.leave();
    expect((await follower.ended)?.code).toBe(Code.Canceled);
  });

  test("is subscribed to and unsubscribed from as one goes, and listens on when nothing more is said", async () => {
    const follower = follow(openTransport().transport, "A", "B");
    await expect.poll(() => follower.heard.length).toBe(2);
    follower.say(["C"], ["A"]);
    follower.fallSilent();
    await expect.poll(() => lastOf(follower)).toBe("C 100 10");
    setPrice("A", 1n);
    setPrice("B", 2n);
    await expect.poll(() => lastOf(follower)).toBe("B 2 10");
    expect(follower.heard.map(brief)).not.toContain("A 1 10");
    follower.leave();
    await follower.ended;
  });

  test("after a broken connection begins with the present", async () => {
    const first = openTransport();
    const broken = follow(first.transport, "POT");
    await expect.poll(() => lastOf(broken)).toBe("POT 100 10");
    first.break();
    expect((await broken.ended)?.code).toBeDefined();
    setPrice("POT", 900n);
    const again = follow(openTransport().transport, "POT");
    await expect.poll(() => again.heard.map(brief)).toContain("POT 900 10");
    again.leave();
    await again.ended;
  });

  test("refuses what is no SKU, and more than a hundred products", async () => {
    const { transport } = openTransport();
    expect((await follow(transport, "no sku").ended)?.code).toBe(Code.InvalidArgument);
    const many = Array.from({ length: 100 }, (_, index) => `P${index}`);
    const follower = follow(transport, ...many);
    await expect.poll(() => follower.heard.length).toBe(100);
    follower.say(["ONE-MORE"]);
    expect((await follower.ended)?.code).toBe(Code.ResourceExhausted);
  });

  test("misses nothing while NATS is away: what changed is told when it is back", async () => {
    const follower = follow(openTransport().transport, "JUG");
    await expect.poll(() => lastOf(follower)).toBe("JUG 100 10");
    await nats.stop();
    setPrice("JUG", 700n);
    await nats.start();
    await expect.poll(() => lastOf(follower), { timeout: 15_000 }).toBe("JUG 700 10");
    follower.leave();
    await follower.ended;
  });
});
