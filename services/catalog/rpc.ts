import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { decodePageToken, encodePageToken } from "@weft/mesh/data";
import { CatalogService, type ProductSchema } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { MoneySchema } from "../../gen/shop/type/v1/money_pb.ts";
import type { Product } from "./domain.ts";
import { batchGetProducts, type CatalogDeps, changePrice, getProduct, listProducts } from "./usecases.ts";

/** The list that page tokens of ListProducts belong to. */
const PRODUCT_LIST = "catalog.products";

/** CatalogService over the use cases. */
export function catalogRoutes(deps: CatalogDeps): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof CatalogService> = {
    async getProduct({ sku }) {
      return { product: toProto(await getProduct(deps, sku)) };
    },

    async batchGetProducts({ skus }) {
      const { products, missingSkus } = await batchGetProducts(deps, skus);
      return { products: products.map(toProto), missingSkus };
    },

    async listProducts({ pageSize, pageToken }) {
      const after = pageToken === "" ? undefined : decodePageToken(PRODUCT_LIST, pageToken)[0];
      const { products, next } = await listProducts(deps, { pageSize, after });
      return {
        products: products.map(toProto),
        nextPageToken: next === undefined ? "" : encodePageToken(PRODUCT_LIST, [next]),
      };
    },

    async changePrice({ sku, price = create(MoneySchema) }) {
      return { product: toProto(await changePrice(deps, { sku, price })) };
    },
  };
  return (router) => router.service(CatalogService, service);
}

function toProto({ updatedAt, ...product }: Product): MessageInitShape<typeof ProductSchema> {
  return { ...product, updatedAt: timestampFromDate(updatedAt) };
}
