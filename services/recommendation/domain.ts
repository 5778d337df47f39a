/** Two products that were in one order, seen from the first. */
export interface Pair {
  readonly sku: string;
  readonly other: string;
}

export interface Count<T> {
  readonly of: T;
  readonly count: number;
}

/** Where recommendations come from; the best first. */
export type Source = "bought together" | "popular" | "fixed";

/** An order that was confirmed. */
export interface ConfirmedOrder {
  readonly orderId: string;
  /** Of its lines, in their order. */
  readonly skus: readonly string[];
}

/** Products of an order that are paired, the first ones: all pairs of them are (skusMax - 1) * skusMax. */
export const skusPerOrderMax = 20;

const skuPattern = /^[A-Za-z0-9._-]{1,64}$/;

/** @throws Error if this is no SKU: better one dead letter than a statement that never succeeds */
export function checkedSku(sku: string): string {
  if (!skuPattern.test(sku)) throw new Error(`"${sku}" is no SKU`);
  return sku;
}

/** The products of an order that are paired, each once. */
export function pairedSkus(skus: readonly string[]): string[] {
  return [...new Set(skus)].slice(0, skusPerOrderMax);
}

/** How often each two products are together in these orders, from either side, in the order of the SKUs. */
export function countPairs(orders: readonly (readonly string[])[]): Count<Pair>[] {
  const counts = new Map<string, { readonly of: Pair; count: number }>();
  for (const order of orders) {
    const skus = pairedSkus(order);
    for (const sku of skus) {
      for (const other of skus) {
        if (sku !== other) add(counts, `${sku} ${other}`, { sku, other });
      }
    }
  }
  return sorted(counts);
}

/** How often each is there, in the order of the SKUs. */
export function countSkus(skus: readonly string[]): Count<string>[] {
  const counts = new Map<string, { readonly of: string; count: number }>();
  for (const sku of skus) add(counts, sku, sku);
  return sorted(counts);
}

function add<T>(counts: Map<string, { readonly of: T; count: number }>, key: string, of: T): void {
  const known = counts.get(key);
  if (known === undefined) counts.set(key, { of, count: 1 });
  else known.count += 1;
}

/** Sorted, so that two transactions that write the same rows wait for each other instead of in a circle. */
function sorted<T>(counts: ReadonlyMap<string, Count<T>>): Count<T>[] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
}
