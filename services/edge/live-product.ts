import type { Product } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import type { Money } from "../../gen/shop/type/v1/money_pb.ts";

/** A product as it is now. One that does not exist has no name and no price. */
export interface LiveState {
  readonly sku: string;
  readonly name: string;
  readonly price: Money | undefined;
  /** Undefined if it is not known at the moment. */
  readonly available: bigint | undefined;
}

/** Parts of a product that are read from different services. */
export interface Parts {
  product: boolean;
  stock: boolean;
}

/** A product that somebody follows, and what is known of it. */
export interface LiveProduct {
  readonly sku: string;
  /** Undefined until it is known whether there is such a product. */
  state: LiveState | undefined;
  product: Product | undefined;
  available: bigint | undefined;
  /** What is to be read (again). */
  stale: Parts;
  /** That the product has by now, as far as was heard. */
  versionMin: bigint;
  /** Reads in a row that came back older than that. */
  oldReads: number;
}

export function createLiveProduct(sku: string): LiveProduct {
  return {
    ...{ sku, state: undefined, product: undefined, available: undefined },
    ...{ stale: { product: false, stock: false }, versionMin: 0n, oldReads: 0 },
  };
}

/** Makes its state of what is known by now; true if that is another than before. */
export function renew(item: LiveProduct): boolean {
  const { sku, product, available, state } = item;
  const now = { sku, name: product?.name ?? "", price: product?.price, available };
  if (state !== undefined && isSame(state, now)) return false;
  item.state = now;
  return true;
}

function isSame(one: LiveState, other: LiveState): boolean {
  return (
    one.name === other.name &&
    one.available === other.available &&
    one.price?.minorUnits === other.price?.minorUnits &&
    one.price?.currencyCode === other.price?.currencyCode
  );
}
