import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { createRedis } from "@weft/mesh/cache";
import { currentSignal } from "@weft/mesh/context";
import { errorReason, rpcError } from "@weft/mesh/contract";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { loadCredentials } from "@weft/mesh/security";
import { loadMeshConfig, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CartService } from "../../gen/shop/cart/v1/cart_pb.ts";
import { type CartUpdated, CartUpdatedSchema } from "../../gen/shop/cart/v1/events_pb.ts";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let carts: Client<typeof CartService>;
let heard: readonly CartUpdated[];
/** Minor units by SKU, as the catalog has them. */
const prices = new Map<string, bigint>();
/** What the catalog does before it answers. */
let catalog: () => Promise<void>;
let ids = 0;
const visitor = () => `visitor:abcdefgh-${++ids}`;
const user = () => `user:usr_abcdefgh${++ids}`;

function untilCallerIsGone(): Promise<never> {
  const signal = currentSignal();
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

async function serveCatalog(): Promise<void> {
  const config = loadMeshConfig(mesh.env("catalog"));
  const telemetry = resources.use(createTelemetry({ service: "catalog", logLevel: "error", write: () => {} }));
  const credentials = resources.use(await loadCredentials(config.credentials));
  const routes: Parameters<typeof serve>[0]["routes"] = (router) =>
    router.service(CatalogService, {
      async batchGetProducts({ skus }) {
        await catalog();
        const known = skus.flatMap((sku) => {
          const minorUnits = prices.get(sku);
          return minorUnits === undefined ? [] : [{ sku, minorUnits }];
        });
        return {
          products: known.map(({ sku, minorUnits }) => ({
            ...{ sku, name: `name of ${sku}` },
            price: { currencyCode: "EUR", minorUnits },
          })),
          missingSkus: skus.filter((sku) => !prices.has(sku)),
        };
      },
    });
  resources.use(await serve({ service: "catalog", config, routes, credentials, telemetry }));
}

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(["catalog", "cart"]));
  await serveCatalog();
  resources.use(await start(loadConfig(mesh.env("cart"))));
  heard = await mesh.watch(CartUpdatedSchema);
  carts = await mesh.client(CartService, "cart");
});
afterAll(() => resources.disposeAsync());
beforeEach(() => {
  catalog = async () => {};
  prices.clear();
  for (let index = 0; index < 120; index += 1) prices.set(`sku-${index}`, 100n);
});

const failure = async (work: Promise<unknown>) => {
  const error = await work.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("the call succeeded");
  return error;
};
const cartOf = async (cartId: string, expectedVersion = 0n) => {
  const { cart } = await carts.getCart({ cartId, expectedVersion });
  if (cart === undefined) throw new Error("no cart in the answer");
  return cart;
};
const skusOf = async (cartId: string) => (await cartOf(cartId)).lines.map(({ sku, quantity }) => `${sku} ${quantity}`);

const placed = (cartId: string) =>
  mesh.publish(OrderPlacedSchema, {
    ...{ orderId: `ord_${++ids}`, userId: cartId.replace("user:", ""), lines: [] },
    total: { currencyCode: "EUR", minorUnits: 100n },
  });

describe("a cart", () => {
  test("begins empty, and has today's names and prices, a total and a version", async () => {
    const cartId = visitor();
    expect(await cartOf(cartId)).toMatchObject({ cartId, lines: [], version: 0n, notice: "" });
    await carts.setItem({ cartId, sku: "sku-1", quantity: 2 });
    const { cart } = await carts.setItem({ cartId, sku: "sku-2", quantity: 1 });
    expect(cart).toMatchObject({ version: 2n, total: { currencyCode: "EUR", minorUnits: 300n }, notice: "" });
    prices.set("sku-1", 150n);
    prices.delete("sku-2");
    const { lines, total, notice } = await cartOf(cartId);
    expect(lines).toMatchObject([
      { sku: "sku-1", name: "name of sku-1", quantity: 2, unitPrice: { minorUnits: 150n } },
      { sku: "sku-2", quantity: 1 },
    ]);
    expect([lines[1]?.unitPrice, total?.minorUnits]).toEqual([undefined, 300n]);
    expect(notice).toMatch(/price of name of sku-1 has changed.*name of sku-2 is no longer sold/);
  });

  test("is told of, and only when something has changed", async () => {
    const cartId = visitor();
    for (const quantity of [3, 3, 0]) await carts.setItem({ cartId, sku: "sku-1", quantity });
    const told = () => heard.filter((event) => event.cartId === cartId).map(({ sku, quantity }) => [sku, quantity]);
    await vi.waitFor(() => expect(told().length).toBeGreaterThanOrEqual(2), 10_000);
    expect(told()).toEqual([
      ["sku-1", 3],
      ["sku-1", 0],
    ]);
  });

  test("takes all changes of many at once", async () => {
    const cartId = visitor();
    const set = (index: number) => carts.setItem({ cartId, sku: `sku-${index}`, quantity: index + 1 });
    const results = await Promise.allSettled(Array.from({ length: 5 }, (_, index) => set(index)));
    const done = results.filter(({ status }) => status === "fulfilled").length;
    const { lines, version } = await cartOf(cartId);
    expect([lines.length, version]).toEqual([done, BigInt(done)]);
    expect(done).toBeGreaterThan(0);
  });

  test("holds 100 products, and says so", async () => {
    const cartId = visitor();
    for (let index = 0; index < 100; index += 1) await carts.setItem({ cartId, sku: `sku-${index}`, quantity: 1 });
    const error = await failure(carts.setItem({ cartId, sku: "sku-100", quantity: 1 }));
    expect([error.code, errorReason(error)]).toEqual([Code.FailedPrecondition, "CART_FULL"]);
    expect((await cartOf(cartId)).total?.minorUnits).toBe(10_000n);
  });

  test("is emptied", async () => {
    const cartId = visitor();
    await carts.setItem({ cartId, sku: "sku-1", quantity: 1 });
    await carts.clearCart({ cartId });
    await carts.clearCart({ cartId });
    expect(await cartOf(cartId, 2n)).toMatchObject({ lines: [], version: 2n, notice: "" });
  });

  test.each([
    ["a product that does not exist", { cartId: "visitor:abcdefgh", sku: "nothing", quantity: 1 }, Code.NotFound],
    ["a cart id of no kind", { cartId: "somebody:abcdefgh", sku: "sku-1", quantity: 1 }, Code.InvalidArgument],
    ["a negative quantity", { cartId: "visitor:abcdefgh", sku: "sku-1", quantity: -1 }, Code.InvalidArgument],
    ["too many", { cartId: "visitor:abcdefgh", sku: "sku-1", quantity: 1_001 }, Code.InvalidArgument],
    ["no SKU", { cartId: "visitor:abcdefgh", sku: "", quantity: 1 }, Code.InvalidArgument],
  ])("refuses %s", async (_name, request, code) => {
    const error = await failure(carts.setItem(request));
    expect(error.code).toBe(code);
    if (code === Code.InvalidArgument) expect(error.findDetails(BadRequestSchema)).toHaveLength(1);
    expect(await skusOf("visitor:abcdefgh")).toEqual([]);
  });
});

describe("merging", () => {
  test("adds the visitor's cart to the user's once, and empties it", async () => {
    const [visitorCartId, userCartId] = [visitor(), user()];
    await carts.setItem({ cartId: userCartId, sku: "sku-1", quantity: 1 });
    await carts.setItem({ cartId: visitorCartId, sku: "sku-1", quantity: 3 });
    await carts.setItem({ cartId: visitorCartId, sku: "sku-2", quantity: 1 });
    const { cart } = await carts.mergeCarts({ visitorCartId, userCartId });
    expect(cart).toMatchObject({ cartId: userCartId, total: { minorUnits: 400n } });
    expect(await skusOf(visitorCartId)).toEqual([]);
    await carts.setItem({ cartId: userCartId, sku: "sku-2", quantity: 0 });
    await carts.mergeCarts({ visitorCartId, userCartId });
    expect(await skusOf(userCartId)).toEqual(["sku-1 3"]);
  });

  test("of several at once one counts", async () => {
    const [visitorCartId, userCartId] = [visitor(), user()];
    await carts.setItem({ cartId: visitorCartId, sku: "sku-1", quantity: 3 });
    await Promise.all(Array.from({ length: 4 }, () => carts.mergeCarts({ visitorCartId, userCartId })));
    expect(await cartOf(userCartId)).toMatchObject({ version: 1n, lines: [{ sku: "sku-1", quantity: 3 }] });
  });
});

describe("with an idempotency key", () => {
  const withKey = (key: string) => ({ headers: { "idempotency-key": key } });

  test("a change is made once and answered alike, at the prices of then, whatever has happened since", async () => {
    const cartId = visitor();
    const set = (quantity: number, key: string) => carts.setItem({ cartId, sku: "sku-1", quantity }, withKey(key));
    const first = await set(2, "k1");
    prices.set("sku-1", 999n);
    await set(5, "k2");
    expect(await set(2, "k1")).toEqual(first);
    expect(await skusOf(cartId)).toEqual(["sku-1 5"]);
    prices.delete("sku-1");
    expect(await set(2, "k1")).toEqual(first);
  });

  test("what changes nothing is kept too", async () => {
    const cartId = visitor();
    await carts.setItem({ cartId, sku: "sku-1", quantity: 0 }, withKey("k1"));
    await carts.setItem({ cartId, sku: "sku-1", quantity: 3 });
    await carts.setItem({ cartId, sku: "sku-1", quantity: 0 }, withKey("k1"));
    expect(await skusOf(cartId)).toEqual(["sku-1 3"]);
  });

  test("of fifty at once one changes the cart and all get its answer; another request is refused", async () => {
    const cartId = visitor();
    const set = (quantity: number) => carts.setItem({ cartId, sku: "sku-1", quantity }, withKey("k1"));
    const answers = await Promise.all(Array.from({ length: 50 }, () => set(2)));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect((await cartOf(cartId)).version).toBe(1n);
    expect(errorReason(await failure(set(3)))).toBe("IDEMPOTENCY_KEY_REUSED");
  });

  test("a refusal is not kept, and another cart's key is another key", async () => {
    const [cartId, other] = [visitor(), visitor()];
    const set = (id: string) => carts.setItem({ cartId: id, sku: "sku-new", quantity: 1 }, withKey("k1"));
    expect((await failure(set(cartId))).code).toBe(Code.NotFound);
    prices.set("sku-new", 1n);
    await set(cartId);
    await set(other);
    expect([await skusOf(cartId), await skusOf(other)]).toEqual([["sku-new 1"], ["sku-new 1"]]);
  });

  test("the answer is kept for a day", async () => {
    const cartId = visitor();
    await carts.setItem({ cartId, sku: "sku-1", quantity: 1 }, withKey("k1"));
    await using telemetry = createTelemetry({ service: "test", logLevel: "error" });
    await using redis = createRedis({ url: mesh.redis.url, telemetry });
    const key = `{cart}:answer:${cartId}:SetItem:k1`;
    const ttlMs = await vi.waitFor(() => redis.run("test.ttl", (commands) => commands.pttl(key)));
    expect(ttlMs).toBeGreaterThan(86_340_000);
    expect(ttlMs).toBeLessThanOrEqual(86_400_000);
  });
});

describe("an order", () => {
  test("empties its user's cart, and leaves what is put in afterwards", async () => {
    const [cartId, other] = [user(), user()];
    await carts.setItem({ cartId, sku: "sku-1", quantity: 1 });
    await carts.setItem({ cartId: other, sku: "sku-1", quantity: 1 });
    await placed(cartId);
    await expect.poll(() => skusOf(cartId)).toEqual([]);
    await carts.setItem({ cartId, sku: "sku-2", quantity: 1 });
    expect([await skusOf(cartId), await skusOf(other)]).toEqual([["sku-2 1"], ["sku-1 1"]]);
  });
});

describe("while the catalog is away", () => {
  test("a cart has no names, prices and total but a notice, within half a second, and takes changes", async () => {
    const cartId = visitor();
    await carts.setItem({ cartId, sku: "sku-1", quantity: 2 });
    catalog = async () => {
      throw rpcError(Code.Unavailable, "away");
    };
    const startedMs = performance.now();
    const { lines, total, notice } = await cartOf(cartId);
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect([lines, total]).toMatchObject([[{ sku: "sku-1", name: "", quantity: 2 }], undefined]);
    expect(notice).toMatch(/prices are not available/);
    await carts.setItem({ cartId, sku: "never-heard-of", quantity: 1 });
    expect(await skusOf(cartId)).toEqual(["sku-1 2", "never-heard-of 1"]);
  });

  test("a slow one is waited for 300 ms", async () => {
    const cartId = visitor();
    await carts.setItem({ cartId, sku: "sku-1", quantity: 2 });
    catalog = untilCallerIsGone;
    const startedMs = performance.now();
    const { notice } = await cartOf(cartId);
    expect(performance.now() - startedMs).toBeLessThan(600);
    expect(notice).toMatch(/prices are not available/);
  });
});

describe("when Redis", () => {
  test("has lost everything, a cart is empty and says why", async () => {
    const cartId = visitor();
    const { cart } = await carts.setItem({ cartId, sku: "sku-1", quantity: 2 });
    await mesh.redis.stop();
    await mesh.redis.start();
    await expect
      .poll(() =>
        carts.getCart({ cartId }).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    const lost = await cartOf(cartId, cart?.version ?? 0n);
    expect([lost.lines, lost.version]).toEqual([[], 0n]);
    expect(lost.notice).toMatch(/your cart was lost/);
    expect((await cartOf(cartId)).notice).toBe("");
  });

  test("is frozen, calls are UNAVAILABLE, and what an order does to a cart waits for it", async () => {
    const cartId = user();
    await carts.setItem({ cartId, sku: "sku-1", quantity: 2 });
    mesh.redis.kill("SIGSTOP");
    const error = await failure(carts.setItem({ cartId, sku: "sku-2", quantity: 2 }));
    await placed(cartId);
    const later = await failure(carts.getCart({ cartId }));
    mesh.redis.kill("SIGCONT");
    for (const each of [error, later]) {
      expect([each.code, errorReason(each)]).toEqual([Code.Unavailable, "CARTS_UNAVAILABLE"]);
    }
    // The SetItem that was cut off may have been done or not: it came before the order.
    await expect.poll(() => skusOf(cartId).catch(() => undefined)).toEqual([]);
  });

  test("is away, calls are UNAVAILABLE in words that say the shop goes on", async () => {
    await mesh.redis.stop();
    const error = await failure(carts.getCart({ cartId: visitor() }));
    await mesh.redis.start();
    expect([error.code, errorReason(error)]).toEqual([Code.Unavailable, "CARTS_UNAVAILABLE"]);
    expect(error.rawMessage).toMatch(/browsing and ordering go on/);
  });
});
