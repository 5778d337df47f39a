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
  /** "coffee-beans" */
  category: string;
  price: Money;
  /** From 1, one more with each change. */
  version: bigint;
  updatedAt: Date;
}

/** A category and how many products it has. */
export interface Category {
  name: string;
  productCount: bigint;
}

/** What a product is called and how it is described; what is left out stays as it is. */
export interface ProductTexts {
  name?: string | undefined;
  description?: string | undefined;
  category?: string | undefined;
}

/** The product as it is with that price from `now` (epoch ms) on; the same object if it costs that already. */
export function withPrice(product: Product, price: Money, now: number): Product {
  const { currencyCode, minorUnits } = product.price;
  if (currencyCode === price.currencyCode && minorUnits === price.minorUnits) return product;
  return { ...product, price, version: product.version + 1n, updatedAt: new Date(now) };
}

/** The product as it is with those texts from `now` (epoch ms) on; the same object if they are its already. */
export function withTexts(product: Product, texts: ProductTexts, now: number): Product {
  const { name = product.name, description = product.description, category = product.category } = texts;
  if (name === product.name && description === product.description && category === product.category) return product;
  return { ...product, name, description, category, version: product.version + 1n, updatedAt: new Date(now) };
}

/** Words of a query that are looked for; the rest is ignored, which bounds what one search costs. */
const searchWordsMax = 20;

/**
 * The words of a query, each once, in the order of the query. Whatever else it holds (quotes, operators of other search languages, control
 * characters) only separates them, so that no query can mean anything but words.
 */
export function searchWords(query: string): string[] {
  const words =
    query
      .normalize("NFC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return [...new Set(words)].slice(0, searchWordsMax);
}

/** Pages of one search. Who has not found it by then searches for something else; and the tenth page costs ten times the first. */
export const searchPagesMax = 10;

/** Where a page of a search begins. */
export interface SearchPosition {
  /** 0 is the first. */
  page: number;
  /** Products on the pages before. */
  offset: number;
}

/** What a request for a product that does not exist is answered with. */
export function productNotFound(sku: string): ConnectError {
  return rpcError(Code.NotFound, `there is no product with SKU ${JSON.stringify(sku)}`, {
    reason: "PRODUCT_NOT_FOUND",
    metadata: { sku },
  });
}
