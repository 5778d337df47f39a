import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { currentCall } from "@weft/mesh/context";
import { rpcError } from "@weft/mesh/contract";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AccountService } from "../../gen/shop/api/v1/account_pb.ts";
import { CartService as PublicCartService } from "../../gen/shop/api/v1/cart_pb.ts";
import { CatalogService as PublicCatalogService } from "../../gen/shop/api/v1/catalog_pb.ts";
import { CartService } from "../../gen/shop/cart/v1/cart_pb.ts";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../gen/shop/inventory/v1/inventory_pb.ts";
import { RecommendationService, RecommendationSource } from "../../gen/shop/recommendation/v1/recommendation_pb.ts";
import { UserService } from "../../gen/shop/user/v1/user_pb.ts";
import { createTestTokens, startTestEdge, type TestEdge } from "./testing.ts";

const tokens = createTestTokens();
const resources = new AsyncDisposableStack();
let edge: TestEdge;
/** Hangs a service's answers. */
const slow = new Set<string>();
let source: RecommendationSource = RecommendationSource.BOUGHT_TOGETHER;
const profile = { email: "ada@shop.test", displayName: "Ada", notifyByEmail: true };
const updates: unknown[] = [];

const hang = async (service: string, signal: AbortSignal | undefined) => {
  if (!slow.has(service)) return;
  await new Promise((resolve) => signal?.addEventListener("abort", resolve, { once: true }));
};
const product = (sku: string) => ({ sku, name: `The ${sku}`, category: "tableware" });
const cartOf = (cartId: string) => ({
  cart: { cartId, lines: [{ sku: "CUP", name: "Cup", quantity: 2 }], version: 4n, notice: cartId },
});

beforeAll(async () => {
  edge = resources.use(
    await startTestEdge({
      user: (router) =>
        router.service(UserService, {
          getJwks: async () => ({ jwksJson: await tokens.jwksJson() }),
          getProfile: () => ({ profile: { userId: "usr_0001", version: 2n, ...profile } }),
          updateProfile({ profile: changed, updateMask }) {
            updates.push([changed?.displayName, updateMask?.paths]);
            return { profile: { ...profile, displayName: changed?.displayName ?? "" } };
          },
        }),
      catalog: (router) =>
        router.service(CatalogService, {
          getProduct({ sku }) {
            if (sku === "NONE") throw rpcError(Code.NotFound, "no product NONE", { reason: "PRODUCT_NOT_FOUND" });
            return { product: product(sku) };
          },
          batchGetProducts: ({ skus }) => ({ products: skus.map(product) }),
          searchProducts: ({ query }) => ({ products: [product(query)], nextPageToken: "more" }),
          listCategories: () => ({ categories: [{ name: "tea", productCount: 12n }] }),
        }),
      inventory: (router) =>
        router.service(InventoryService, {
          async batchGetStock({ skus }) {
            await hang("inventory", currentCall()?.signal);
            return { levels: skus.map((sku) => ({ sku, available: 7n })) };
          },
        }),
      cart: (router) =>
        router.service(CartService, {
          getCart: ({ cartId }) => cartOf(cartId),
          setItem: ({ cartId, sku, quantity }) => cartOf(`${cartId} ${quantity} ${sku}`),
          mergeCarts: ({ visitorCartId, userCartId }) => cartOf(`${visitorCartId} into ${userCartId}`),
        }),
      recommendation: (router) =>
        router.service(RecommendationService, {
          async listRecommendations() {
            await hang("recommendation", currentCall()?.signal);
            return { skus: ["POT", "JUG"], source };
          },
        }),
    }),
  );
});
afterAll(() => resources.disposeAsync());
afterEach(() => {
  slow.clear();
  source = RecommendationSource.BOUGHT_TOGETHER;
});

const transport = () => createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1", useHttpGet: true });
const bearer = async () => ({ headers: { authorization: `Bearer ${await tokens.issue("usr_0001")}` } });

/** A product's page in brief, and how long it took. */
async function page(sku = "CUP") {
  const startedAt = performance.now();
  const answer = await createClient(PublicCatalogService, transport()).getProductPage({ sku });
  return {
    brief: {
      sku: answer.product?.sku,
      available: answer.available,
      recommended: answer.recommendations.map((each) => each.sku),
      degraded: answer.degraded,
    },
    tookMs: performance.now() - startedAt,
  };
}

describe("a product's page", () => {
  test("is whole while all is well", async () => {
    expect((await page()).brief).toEqual({ sku: "CUP", available: 7n, recommended: ["POT", "JUG"], degraded: [] });
  });

  test("is NOT_FOUND for a product that there is not", async () => {
    await expect(page("NONE")).rejects.toMatchObject({ code: Code.NotFound });
  });

  test("says when recommendations are a fixed list", async () => {
    source = RecommendationSource.STATIC;
    expect((await page()).brief).toMatchObject({ recommended: ["POT", "JUG"], degraded: ["recommendations"] });
  });

  test("does without what is slow, and soon", async () => {
    slow.add("inventory").add("recommendation");
    const { brief, tookMs } = await page();
    expect(brief).toEqual({
      ...{ sku: "CUP", available: undefined, recommended: ["POT"] },
      degraded: ["stock", "recommendations"],
    });
    expect(tookMs).toBeLessThan(1_200);
  });
});

describe("browsing", () => {
  test("searches, and lists categories", async () => {
    const client = createClient(PublicCatalogService, transport());
    const found = await client.searchProducts({ query: "CUP" });
    expect(found).toMatchObject({
      products: [{ sku: "CUP", picturePath: "/pictures/CUP.svg" }],
      nextPageToken: "more",
    });
    expect((await client.listCategories({})).categories).toMatchObject([{ name: "tea", productCount: 12n }]);
  });

  test("shows the picture of a product", async () => {
    const picture = await fetch(`${edge.url}/pictures/CUP.svg`);
    expect([picture.status, picture.headers.get("content-type")]).toEqual([200, "image/svg+xml"]);
    expect(await picture.text()).toMatch(/^<svg /);
  });
});

describe("a profile", () => {
  test("is its owner's to read and to change", async () => {
    const client = createClient(AccountService, transport());
    expect((await client.getProfile({}, await bearer())).profile).toMatchObject(profile);
    const changes = { profile: { displayName: "Ada L." }, updateMask: { paths: ["display_name"] } };
    expect((await client.updateProfile(changes, await bearer())).profile).toMatchObject({ displayName: "Ada L." });
    expect(updates).toEqual([["Ada L.", ["display_name"]]]);
    await expect(client.getProfile({})).rejects.toMatchObject({ code: Code.Unauthenticated });
  });
});

describe("a cart", () => {
  const client = () => createClient(PublicCartService, transport());
  const visitorCartId = "0123456789abcdef";

  test("is the visitor's by its id, with pictures", async () => {
    const { cart } = await client().getCart({ visitorCartId });
    expect(cart).toMatchObject({
      notice: `visitor:${visitorCartId}`,
      lines: [{ sku: "CUP", quantity: 2, picturePath: "/pictures/CUP.svg" }],
    });
  });

  test("is the customer's own by the token, whatever id he sends", async () => {
    const { cart } = await client().setCartItem({ visitorCartId, sku: "POT", quantity: 3 }, await bearer());
    expect(cart?.notice).toBe("user:usr_0001 3 POT");
  });

  test("is merged into the customer's after log-in", async () => {
    const { cart } = await client().mergeCart({ visitorCartId }, await bearer());
    expect(cart?.notice).toBe(`visitor:${visitorCartId} into user:usr_0001`);
    await expect(client().mergeCart({ visitorCartId })).rejects.toMatchObject({ code: Code.Unauthenticated });
  });

  test("must be somebody's", async () => {
    await expect(client().getCart({})).rejects.toMatchObject({ code: Code.InvalidArgument });
  });
});

describe("with services away, one after the other", () => {
  test("recommendations: a fixed list, without the product itself", async () => {
    await edge.stop("recommendation");
    const { brief, tookMs } = await page();
    expect(brief).toMatchObject({ available: 7n, recommended: ["POT"], degraded: ["recommendations"] });
    expect(tookMs).toBeLessThan(1_500);
  });

  test("inventory too: no stock", async () => {
    await edge.stop("inventory");
    const { brief, tookMs } = await page();
    expect(brief).toMatchObject({ available: undefined, recommended: ["POT"], degraded: ["stock", "recommendations"] });
    expect(tookMs).toBeLessThan(1_500);
  });

  test("carts: UNAVAILABLE, and the rest goes on", async () => {
    await edge.stop("cart");
    const cart = createClient(PublicCartService, transport()).getCart({ visitorCartId: "0123456789" });
    await expect(cart).rejects.toMatchObject({ code: Code.Unavailable });
    expect((await page()).brief.sku).toBe("CUP");
  });

  test("catalog: no page, soon, and a plain picture that nobody keeps", async () => {
    await edge.stop("catalog");
    const startedAt = performance.now();
    await expect(page()).rejects.toMatchObject({ code: Code.Unavailable });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    const picture = await fetch(`${edge.url}/pictures/CUP.svg`);
    expect([picture.status, picture.headers.get("cache-control")]).toEqual([200, "no-store"]);
  });
});
