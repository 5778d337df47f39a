import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

/** An exact amount: an integer number of the currency's smallest unit. */
export interface Money {
  /** ISO 4217. */
  currencyCode: string;
  minorUnits: bigint;
}

/** Something that can be bought. */
export interface Product {
  sku: string;
  name: string;
  description: string;
  price: Money;
  /** From 1, one more with each change. */
  version: bigint;
  updatedAt: Date;
}

/** The product as it is with that price from `now` (epoch ms) on; the same object if it costs that already. */
export function withPrice(product: Product, price: Money, now: number): Product {
  const { currencyCode, minorUnits } = product.price;
  if (currencyCode === price.currencyCode && minorUnits === price.minorUnits) return product;
  return { ...product, price, version: product.version + 1n, updatedAt: new Date(now) };
}

/** What a request for a product that does not exist is answered with. */
export function productNotFound(sku: string): ConnectError {
  return rpcError(Code.NotFound, `there is no product with SKU ${JSON.stringify(sku)}`, {
    reason: "PRODUCT_NOT_FOUND",
    metadata: { sku },
  });
}

/** What a price change is answered with when others keep changing the same product meanwhile. */
export function productContended(sku: string): ConnectError {
  return rpcError(Code.Aborted, `product ${JSON.stringify(sku)} is being changed by others, try again`, {
    reason: "PRODUCT_CONTENDED",
    metadata: { sku },
  });
}
