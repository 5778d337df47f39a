import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { cartIdOf, getProduct, getProductPage, type ProductPageDeps } from "./usecases.ts";

const deps: ProductPageDeps<{ sku: string }> = {
  findProduct: async (sku) => ({ sku }),
  findAvailable: async () => 3n,
  findRecommended: async () => ({ skus: ["POT", "LID", "JUG"], secondBest: false }),
  findProducts: async (skus) =>
    skus
      .filter((sku) => sku !== "LID")
      .toReversed()
      .map((sku) => ({ sku })),
};

/** Never answers; tells when it is left. */
function forEver(left: () => void) {
  return (_: unknown, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        left();
        reject(new Error("aborted"));
      });
    });
}

describe("getProduct()", () => {
  test("joins product and stock", async () => {
    expect(await getProduct(deps, "CUP")).toEqual({ product: { sku: "CUP" }, available: 3n });
  });

  test("shows none left as 0, which is known", async () => {
    expect(await getProduct({ ...deps, findAvailable: async () => 0n }, "CUP")).toMatchObject({ available: 0n });
  });

  test("fails with the catalog's error at once, and stops asking for stock", async () => {
    let stopped = false;
    const findAvailable = forEver(() => {
      stopped = true;
    });
    const findProduct = () => Promise.reject(new ConnectError("no such product", Code.NotFound));
    await expect(getProduct({ ...deps, findProduct, findAvailable }, "CUP")).rejects.toThrow("no such product");
    expect(stopped).toBe(true);
  });
});

describe("getProductPage()", () => {
  test("shows product, stock and those recommended products that there are, the best first", async () => {
    expect(await getProductPage(deps, "CUP")).toEqual({
      product: { sku: "CUP" },
      available: 3n,
      recommendations: [{ sku: "POT" }, { sku: "JUG" }],
      degraded: [],
    });
  });

  test.each<[string, Partial<typeof deps>, unknown]>([
    ["stock", { findAvailable: async () => undefined }, { available: undefined, degraded: ["stock"] }],
    [
      "recommendations that are second best",
      { findRecommended: async () => ({ skus: ["POT"], secondBest: true }) },
      { recommendations: [{ sku: "POT" }], degraded: ["recommendations"] },
    ],
    [
      "recommendations of which nothing is known but their SKUs",
      { findProducts: async () => undefined },
      { recommendations: [], degraded: ["recommendations"] },
    ],
  ])("names missing %s", async (_name, replaced, expected) => {
    expect(await getProductPage({ ...deps, ...replaced }, "CUP")).toMatchObject({
      product: { sku: "CUP" },
      ...(expected as object),
    });
  });

  test("asks for no products where none are recommended", async () => {
    const findProducts = () => Promise.reject(new Error("asked"));
    const findRecommended = async () => ({ skus: [], secondBest: false });
    const page = await getProductPage({ ...deps, findRecommended, findProducts }, "CUP");
    expect(page).toMatchObject({ recommendations: [], degraded: [] });
  });

  test("is not there without its product, and leaves the rest at once", async () => {
    let left = 0;
    const count = () => {
      left += 1;
    };
    const page = getProductPage(
      {
        ...deps,
        findProduct: () => Promise.reject(new ConnectError("no such product", Code.NotFound)),
        findAvailable: forEver(count),
        findRecommended: forEver(count),
      },
      "CUP",
    );
    await expect(page).rejects.toThrow("no such product");
    expect(left).toBe(2);
  });
});

describe("cartIdOf()", () => {
  test("is the customer's, whatever cart he names; else the visitor's", () => {
    expect(cartIdOf("usr_1", "somebody-elses")).toBe("user:usr_1");
    expect(cartIdOf(undefined, "0123456789")).toBe("visitor:0123456789");
  });

  test.each(["", "short"])("refuses a visitor's %j", (id) => {
    expect(() => cartIdOf(undefined, id)).toThrow(/visitor_cart_id/);
  });
});
