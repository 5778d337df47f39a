import { hash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { decodePageToken, encodePageToken, type Idempotency } from "@weft/mesh/data";
import { CatalogService, type Product as ProductMessage, ProductSchema } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { MoneySchema } from "../../gen/shop/type/v1/money_pb.ts";
import { toProduct } from "./cached.ts";
import { type Product, type SearchPosition, searchPagesMax } from "./domain.ts";
import {
  batchGetProducts,
  type CatalogDeps,
  changePrice,
  getProduct,
  listCategories,
  listProducts,
  searchProducts,
  updateProduct,
} from "./usecases.ts";

const pageSizeMax = 100;

/** What is kept of a change: the product as it was answered. */
const answeredProduct = {
  toAnswer: (product: Product) => ({ product: toProto(product) }),
  fromAnswer: ({ product }: { readonly product?: ProductMessage | undefined }) =>
    toProduct(product ?? create(ProductSchema)),
};

/** CatalogService over the use cases. */
export function catalogRoutes(
  deps: CatalogDeps & { readonly idempotency: Pick<Idempotency, "method"> },
): (router: ConnectRouter) => void {
  const updating = deps.idempotency.method(CatalogService.method.updateProduct, answeredProduct);
  const pricing = deps.idempotency.method(CatalogService.method.changePrice, answeredProduct);
  const service: ServiceImpl<typeof CatalogService> = {
    async getProduct({ sku }) {
      return { product: toProto(await getProduct(deps, sku)) };
    },

    async batchGetProducts({ skus, fresh }) {
      const { products, missingSkus } = await batchGetProducts(deps, { skus, fresh });
      return { products: products.map(toProto), missingSkus };
    },

    async listProducts({ pageSize, pageToken, category }) {
      const list = `catalog.products/${category}`;
      const after = pageToken === "" ? undefined : decodePageToken(list, pageToken)[0];
      const { products, next } = await listProducts(deps, { pageSize, after, category: category || undefined });
      return {
        products: products.map(toProto),
        nextPageToken: next === undefined ? "" : encodePageToken(list, [next]),
      };
    },

    async searchProducts({ query, pageSize, pageToken }) {
      // A hash, since a token has less room than a query.
      const list = `catalog.search/${hash("sha256", query, "base64url").slice(0, 16)}`;
      const from = searchPosition(list, pageToken);
      const { products, next } = await searchProducts(deps, { query, pageSize, from });
      return {
        products: products.map(toProto),
        nextPageToken: next === undefined ? "" : encodePageToken(list, [String(next.page), String(next.offset)]),
      };
    },

    async listCategories({ pageSize }) {
      return { categories: await listCategories(deps, pageSize) };
    },

    async updateProduct(request) {
      const { sku, name, description, category } = request;
      return { product: toProto(await updateProduct(deps, { sku, name, description, category }, updating(request))) };
    },

    async changePrice(request) {
      const { sku, price = create(MoneySchema) } = request;
      return { product: toProto(await changePrice(deps, { sku, price }, pricing(request))) };
    },
  };
  return (router) => router.service(CatalogService, service);
}

/** Tokens are the caller's input: one that was made up must not make the database skip a million rows. */
function searchPosition(list: string, pageToken: string): SearchPosition {
  if (pageToken === "") return { page: 0, offset: 0 };
  const [page = Number.NaN, offset = Number.NaN] = decodePageToken(list, pageToken).map(Number);
  const isWithin = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
  if (isWithin(page, searchPagesMax - 1) && isWithin(offset, page * pageSizeMax)) return { page, offset };
  const description = "is not a token that a search has returned";
  throw rpcError(Code.InvalidArgument, `page_token ${description}`, {
    reason: "PAGE_TOKEN_INVALID",
    violations: [{ field: "page_token", description }],
  });
}

function toProto({ updatedAt, ...product }: Product): MessageInitShape<typeof ProductSchema> {
  return { ...product, updatedAt: timestampFromDate(updatedAt) };
}
