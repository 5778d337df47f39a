import { hash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { decodePageToken, encodePageToken } from "@weft/mesh/data";
import { CatalogService, type ProductSchema } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { MoneySchema } from "../../gen/shop/type/v1/money_pb.ts";
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

/** CatalogService over the use cases. */
export function catalogRoutes(deps: CatalogDeps): (router: ConnectRouter) => void {
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

    async updateProduct({ sku, name, description, category }) {
      return { product: toProto(await updateProduct(deps, { sku, name, description, category })) };
    },

    async changePrice({ sku, price = create(MoneySchema) }) {
      return { product: toProto(await changePrice(deps, { sku, price })) };
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
