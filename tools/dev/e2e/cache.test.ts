import { createRedis } from "@weft/mesh/cache";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CatalogService } from "../../../gen/shop/catalog/v1/catalog_pb.ts";
import { createOperator, type Operator } from "./operator.ts";
import { type Shop, startShop } from "./shop.ts";

/** Two processes of a service side by side are services/catalog/processes.test.ts. */
let shop: Shop;
let operator: Operator;
beforeAll(async () => {
  shop = await startShop("single");
  operator = await createOperator(shop.stack.addresses);
}, 120_000);
afterAll(async () => {
  await operator?.[Symbol.asyncDispose]();
  await shop?.[Symbol.asyncDispose]();
});

const sku = "COF-ESPRESSO-250";

/** The price of a product, as a customer sees it on its own page and in the list of its category. */
async function pricesSeen() {
  const { catalog } = await shop.customer();
  const { product } = await catalog.getProduct({ sku });
  const category = product?.category ?? "";
  return async () => {
    const [page, list] = await Promise.all([
      catalog.getProduct({ sku }),
      catalog.listProducts({ category, pageSize: 50 }),
    ]);
    const listed = list.products.find((each) => each.sku === sku);
    return [page.product?.price?.minorUnits, listed?.price?.minorUnits];
  };
}

test("in one process: a new price is shown at once, and Redis flushed, frozen and killed under load costs nobody an error", async () => {
  const seen = await pricesSeen();
  const catalog = operator.client(CatalogService, "catalog");
  let asked = 1_000n;
  let answered = asked;
  const change = async () => {
    asked += 1n;
    await catalog.changePrice({ sku, price: { currencyCode: "EUR", minorUnits: asked } });
    answered = asked;
    expect(await seen()).toEqual([answered, answered]);
  };
  await change();

  let isRunning = true;
  let answers = 0;
  const read = async () => {
    while (isRunning) {
      const lowest = answered;
      for (const each of await seen()) expect(each !== undefined && each >= lowest && each <= asked).toBe(true);
      answers += 1;
    }
  };
  const reading = Promise.all([read(), read(), read(), read()]);
  const more = async () => {
    const from = answers;
    await Promise.race([expect.poll(() => answers - from).toBeGreaterThan(50), reading]);
    await change();
  };
  await more();
  await using redis = createRedis({
    url: shop.stack.addresses.engines.redis,
    telemetry: createTelemetry({ service: "test", write: () => {} }),
  });
  await expect.poll(() => redis.isReady()).toBe(true);
  await redis.run("test.flush", (commands) => commands.flushall());
  await more();
  shop.stack.kill("redis", "SIGSTOP");
  await more();
  shop.stack.kill("redis", "SIGCONT");
  await more();
  shop.stack.kill("redis", "SIGKILL");
  await shop.stack.ended("redis");
  await more();
  await shop.stack.start("redis");
  await more();
  isRunning = false;
  await reading;
  console.info(`${answers} pages and lists read while Redis was flushed, frozen and killed: all right`);
}, 60_000);
