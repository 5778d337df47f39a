import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { createDatabase } from "@weft/mesh/data";
import { BadRequestSchema, ErrorInfoSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import {
  type PriceChanged,
  PriceChangedSchema,
  type ProductUpdated,
  ProductUpdatedSchema,
} from "../../gen/shop/catalog/v1/events_pb.ts";
import { createTestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";
import { seedProducts } from "./store.ts";

const resources = new AsyncDisposableStack();
let catalog: Client<typeof CatalogService>;
let priceChanges: readonly PriceChanged[];
let updates: readonly ProductUpdated[];

beforeAll(async () => {
  const mesh = resources.use(await createTestMesh(["catalog"]));
  resources.use(await start(loadConfig(mesh.env("catalog"))));
  priceChanges = await mesh.watch(PriceChangedSchema);
  updates = await mesh.watch(ProductUpdatedSchema);
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  await using database = createDatabase({ url: mesh.database("catalog").url, telemetry });
  const skus = Array.from({ length: 45 }, (_, i) => `SKU-${String(i).padStart(2, "0")}`);
  const product = {
    name: "Thing",
    description: "A thing.",
    category: "things",
    currencyCode: "EUR",
    minorUnits: 1_999n,
  };
  await seedProducts(
    database,
    skus.map((sku) => ({ ...product, sku })),
  );
  catalog = await mesh.client(CatalogService, "catalog");
});
afterAll(() => resources.disposeAsync());

const failure = async (work: Promise<unknown>) => {
  const error = await work.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("the call succeeded");
  return error;
};
const violatedFields = (error: ConnectError) =>
  error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations.map(({ field }) => field));

test("a product is what was stored, its price exact", async () => {
  const { product } = await catalog.getProduct({ sku: "SKU-00" });
  expect(product).toMatchObject({ sku: "SKU-00", price: { currencyCode: "EUR", minorUnits: 1_999n }, version: 1n });
});

test("an unknown product is NOT_FOUND with its SKU", async () => {
  const error = await failure(catalog.getProduct({ sku: "nothing" }));
  expect([error.code, error.findDetails(ErrorInfoSchema)]).toMatchObject([
    Code.NotFound,
    [{ reason: "PRODUCT_NOT_FOUND", domain: "shop", metadata: { sku: "nothing" } }],
  ]);
});

test("a batch names what is missing", async () => {
  const { products, missingSkus } = await catalog.batchGetProducts({ skus: ["SKU-01", "nothing"] });
  expect([products.map(({ sku }) => sku), missingSkus]).toEqual([["SKU-01"], ["nothing"]]);
});

describe("the list", () => {
  test("gives each product once, 20 a page", async () => {
    const pages: string[][] = [];
    for (let pageToken = ""; ; ) {
      const { products, nextPageToken } = await catalog.listProducts({ pageToken });
      pages.push(products.map(({ sku }) => sku));
      if (nextPageToken === "") break;
      pageToken = nextPageToken;
    }
    expect(pages.map((page) => page.length)).toEqual([20, 20, 5]);
    expect(new Set(pages.flat()).size).toBe(45);
  });

  test("refuses a page token that it has not made, naming the field", async () => {
    const error = await failure(catalog.listProducts({ pageToken: "garbage" }));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["page_token"]]);
  });

  test("refuses a page size over its limit, naming the field", async () => {
    const error = await failure(catalog.listProducts({ pageSize: 10_000 }));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["page_size"]]);
  });
});

describe("a category", () => {
  test("is listed alone, its token is refused for another", async () => {
    await catalog.updateProduct({ sku: "SKU-40", category: "rare" });
    await catalog.updateProduct({ sku: "SKU-41", category: "rare" });
    const first = await catalog.listProducts({ category: "rare", pageSize: 1 });
    expect(first.products.map(({ sku, category }) => [sku, category])).toEqual([["SKU-40", "rare"]]);
    const pageToken = first.nextPageToken;
    const second = await catalog.listProducts({ category: "rare", pageSize: 1, pageToken });
    expect([second.products.map(({ sku }) => sku), second.nextPageToken]).toEqual([["SKU-41"], ""]);
    const error = await failure(catalog.listProducts({ category: "things", pageToken }));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["page_token"]]);
  });

  test("that does not exist is empty", async () => {
    expect((await catalog.listProducts({ category: "nothing" })).products).toEqual([]);
  });

  test("comes with its number of products", async () => {
    await catalog.updateProduct({ sku: "SKU-42", category: "one" });
    expect((await catalog.listCategories({})).categories).toContainEqual(
      expect.objectContaining({ name: "one", productCount: 1n }),
    );
  });

  test.each(["Coffee", "a b", "x".repeat(41)])("is refused as %j, naming the field", async (category) => {
    const error = await failure(catalog.listProducts({ category }));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["category"]]);
  });
});

describe("search", () => {
  test("gives pages that together hold each match once", async () => {
    const skus: string[] = [];
    let pages = 0;
    for (let pageToken = ""; ; ) {
      const page = await catalog.searchProducts({ query: "thing", pageSize: 10, pageToken });
      skus.push(...page.products.map(({ sku }) => sku));
      pages++;
      if (page.nextPageToken === "") break;
      pageToken = page.nextPageToken;
    }
    expect([pages, skus.length, new Set(skus).size]).toEqual([5, 45, 45]);
  });

  test.each([
    `"`,
    `+thing -thing`,
    `"thing`,
    `(((thing`,
    `thing*)*`,
    `' OR '1'='1`,
    `%_%`,
    `\u0000thing`,
    `thing@5`,
    `\\' UNION SELECT 1; --`,
    "😀".repeat(50),
    `>thing <thing ~thing`,
  ])("answers %j like any other", async (query) => {
    expect((await catalog.searchProducts({ query })).products.length).toBeLessThanOrEqual(20);
  });

  test.each([
    ["made up", (): string => Buffer.from(JSON.stringify(["catalog.search", "1", "20"])).toString("base64url")],
    ["garbage", () => "garbage"],
  ])("refuses a page token that is %s, naming the field", async (_, token) => {
    const error = await failure(catalog.searchProducts({ query: "thing", pageToken: token() }));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["page_token"]]);
  });

  test.each([
    ["beyond the tenth page", ["10", "200"]],
    ["far into the page", ["1", "1000000"]],
    ["before the first product", ["1", "-1"]],
    ["nowhere", ["x", "y"]],
    ["half", ["1"]],
  ])("refuses a page token that leads %s", async (_, values) => {
    const { nextPageToken } = await catalog.searchProducts({ query: "thing" });
    const [list] = JSON.parse(Buffer.from(nextPageToken, "base64url").toString()) as string[];
    const pageToken = Buffer.from(JSON.stringify([list, ...values])).toString("base64url");
    const error = await failure(catalog.searchProducts({ query: "thing", pageToken }));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["page_token"]]);
  });

  test("refuses the page token of another query", async () => {
    const { nextPageToken: pageToken } = await catalog.searchProducts({ query: "thing" });
    const error = await failure(catalog.searchProducts({ query: "things", pageToken }));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["page_token"]]);
  });

  test.each([
    ["without a query", { query: "" }, "query"],
    ["for a book", { query: "x".repeat(201) }, "query"],
    ["for too much at once", { query: "thing", pageSize: 101 }, "page_size"],
  ])("is refused %s, naming the field", async (_, request, field) => {
    const error = await failure(catalog.searchProducts(request));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, [field]]);
  });
});

describe("an updated product", () => {
  test("is in the next answer, and is told of once with all its texts", async () => {
    const sku = "SKU-30";
    const { product } = await catalog.updateProduct({ sku, name: "Other thing", description: "" });
    expect(product).toMatchObject({ sku, name: "Other thing", description: "", category: "things", version: 2n });
    await catalog.updateProduct({ sku, name: "Other thing" });
    expect((await catalog.getProduct({ sku })).product).toEqual(product);
    // When this later change has arrived, a second event of the first would have too.
    await catalog.updateProduct({ sku: "SKU-31", name: "Later" });
    await vi.waitFor(() => expect(updates.some((update) => update.sku === "SKU-31")).toBe(true), 10_000);
    expect(updates.filter((update) => update.sku === sku)).toMatchObject([
      { name: "Other thing", description: "", category: "things" },
    ]);
  });

  test("that does not exist is NOT_FOUND", async () => {
    expect((await failure(catalog.updateProduct({ sku: "nothing", name: "x" }))).code).toBe(Code.NotFound);
  });

  test.each([
    ["an empty name", { name: "" }, "name"],
    ["a long name", { name: "x".repeat(201) }, "name"],
    ["a long description", { description: "x".repeat(2_001) }, "description"],
    ["no category", { category: "" }, "category"],
  ])("is refused %s, naming the field", async (_, texts, field) => {
    const error = await failure(catalog.updateProduct({ sku: "SKU-32", ...texts }));
    expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, [field]]);
  });
});

test("a changed price is in the next answer, and is told of once with the old and the new price", async () => {
  const price = { currencyCode: "EUR", minorUnits: 2_500n };
  const sku = "SKU-02";
  expect((await catalog.changePrice({ sku, price })).product).toMatchObject({ price, version: 2n });
  expect((await catalog.changePrice({ sku, price })).product).toMatchObject({ price, version: 2n });
  expect((await catalog.getProduct({ sku })).product).toMatchObject({ price, version: 2n });
  // When this later change has arrived, a second event of the first would have too.
  await catalog.changePrice({ sku: "SKU-03", price });
  await vi.waitFor(() => expect(priceChanges.some((change) => change.sku === "SKU-03")).toBe(true), 10_000);
  expect(priceChanges.filter((change) => change.sku === sku)).toMatchObject([
    { oldPrice: { currencyCode: "EUR", minorUnits: 1_999n }, newPrice: price },
  ]);
});

test("of many who change one price at once, all are answered, one after another, each change told of", async () => {
  const sku = "SKU-04";
  const attempts = Array.from({ length: 12 }, (_, i) =>
    catalog.changePrice({ sku, price: { currencyCode: "EUR", minorUnits: BigInt(10 + i) } }),
  );
  const versions = (await Promise.all(attempts)).map(({ product }) => Number(product?.version));
  expect(versions.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i + 2));
  const told = () => priceChanges.filter((change) => change.sku === sku);
  await vi.waitFor(() => expect(told()).toHaveLength(12), 10_000);
});

test("a price is refused without a currency, naming the field", async () => {
  const error = await failure(catalog.changePrice({ sku: "SKU-05", price: { minorUnits: 5n } }));
  expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["price.currency_code"]]);
});
