import type { OrderBooks, PairFact } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** Products of an order that recommendation pairs, the first ones: its README. */
const skusPerOrderMax = 20;

/** What recommendation says was bought together is what confirmed orders have, each counted once. */
export function checkPairs({ orderEvents }: Pick<OrderBooks, "orderEvents">, pairs: readonly PairFact[]): Finding[] {
  const expected = new Map<string, number>();
  for (const { type, lines = [] } of orderEvents) {
    if (type !== "OrderConfirmed") continue;
    const skus = [...new Set(lines.map(({ sku }) => sku))].slice(0, skusPerOrderMax);
    for (const sku of skus) {
      for (const other of skus) {
        if (sku !== other) expected.set(`${sku} ${other}`, (expected.get(`${sku} ${other}`) ?? 0) + 1);
      }
    }
  }
  const found = new Map(pairs.map(({ sku, other, orders }) => [`${sku} ${other}`, orders]));
  const invariant = "pairs are those of confirmed orders";
  return [...new Set([...expected.keys(), ...found.keys()])].flatMap((subject): Finding[] => {
    const [counted = 0, happened = 0] = [found.get(subject), expected.get(subject)];
    if (counted === happened) return [];
    const detail = `bought together in ${happened} orders, counted ${counted} times`;
    return [{ invariant, kind: counted > happened ? "duplicated" : "lost", subject, detail }];
  });
}
