import { createClient } from "@connectrpc/connect";
import { CatalogService } from "../../../gen/shop/catalog/v1/catalog_pb.ts";
import { createMesh } from "../../../mesh/client/mesh.ts";
import { createStaticDiscovery } from "../../../mesh/discovery/static.ts";
import { createZipf } from "../zipf.ts";
import { answerAsClient } from "./answer.ts";
import { openService } from "./weft-settings.ts";

const discovery = createStaticDiscovery(new Map([["catalog", [{ address: process.env.BENCH_ADDRESS ?? "" }]]]));
const mesh = createMesh({ service: "bench", discovery, ...(await openService("bench")) });
const client = createClient(CatalogService, mesh.transport("catalog"));
const pageSize = 20;

/** Every product and every page's token, by walking all pages; the first time that somebody asks. */
async function walk() {
  const skus: string[] = [];
  const pageTokens: string[] = [];
  let pageToken = "";
  do {
    pageTokens.push(pageToken);
    const { products, nextPageToken } = await client.listProducts({ pageSize, pageToken });
    skus.push(...products.map(({ sku }) => sku));
    pageToken = nextPageToken;
  } while (pageToken !== "");
  return {
    skus,
    pageTokens,
    sku: createZipf(skus.length, Math.random),
    page: createZipf(pageTokens.length, Math.random),
  };
}
let walking: ReturnType<typeof walk> | undefined;
const assortment = () => {
  walking ??= walk();
  return walking;
};

answerAsClient({
  async GetProduct() {
    const { skus, sku: draw } = await assortment();
    const sku = skus[draw()] ?? "";
    const { product } = await client.getProduct({ sku });
    if (product?.sku !== sku) throw new Error("another product came back");
  },
  async ListProducts() {
    const { pageTokens, page } = await assortment();
    const { products } = await client.listProducts({ pageSize, pageToken: pageTokens[page()] ?? "" });
    if (products.length === 0) throw new Error("a page is empty");
  },
});
