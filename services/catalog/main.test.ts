import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { errorReason } from "@weft/mesh/contract";
import { createDatabase } from "@weft/mesh/data";
import { BadRequestSchema, ErrorInfoSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CatalogService } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { type PriceChanged, PriceChangedSchema } from "../../gen/shop/catalog/v1/events_pb.ts";
import { createTestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";
import { seedProducts } from "./store.ts";

const resources = new AsyncDisposableStack();
let catalog: Client<typeof CatalogService>;
let priceChanges: readonly PriceChanged[];

beforeAll(async () => {
  const mesh = resources.use(await createTestMesh(["catalog"]));
  resources.use(await start(loadConfig(mesh.env("catalog"))));
  priceChanges = await mesh.watch(PriceChangedSchema);
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  await using database = createDatabase({ url: mesh.database("catalog").url, telemetry });
  const skus = Array.from({ length: 45 }, (_, i) => `SKU-${String(i).padStart(2, "0")}`);
  const product = { name: "Thing", description: "A thing.", currencyCode: "EUR", minorUnits: 1_999n };
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

test("of many who change one price at once, each that is answered has its change told of", async () => {
  const sku = "SKU-04";
  const attempts = Array.from({ length: 12 }, (_, i) =>
    catalog.changePrice({ sku, price: { currencyCode: "EUR", minorUnits: BigInt(10 + i) } }),
  );
  const results = await Promise.allSettled(attempts);
  const answered = results.filter((result) => result.status === "fulfilled").length;
  for (const result of results) {
    if (result.status === "rejected") expect(errorReason(ConnectError.from(result.reason))).toBe("PRODUCT_CONTENDED");
  }
  expect(answered).toBeGreaterThan(0);
  expect((await catalog.getProduct({ sku })).product?.version).toBe(BigInt(1 + answered));
  const told = () => priceChanges.filter((change) => change.sku === sku);
  await vi.waitFor(() => expect(told()).toHaveLength(answered), 10_000);
});

test("a price is refused without a currency, naming the field", async () => {
  const error = await failure(catalog.changePrice({ sku: "SKU-05", price: { minorUnits: 5n } }));
  expect([error.code, violatedFields(error)]).toEqual([Code.InvalidArgument, ["price.currency_code"]]);
});
