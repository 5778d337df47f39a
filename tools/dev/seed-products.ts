import { seededRandom } from "./history/chance.ts";
import { ASSORTMENTS, type Assortment, type Rated } from "./seed-assortment.ts";
import type { SeedProduct } from "./seed-data.ts";

/** Coprime to every number of combinations, so that going on by it meets each combination once before any comes twice. */
const STRIDE = 7_919;

/**
 * Makes so many products, spread evenly over the categories, each with a name of its own. Always the same ones: all follows from a product's
 * number, so more of them later leave the first as they are.
 *
 * Their SKUs ("W-100041") come after those of the assortment chosen by hand.
 */
export function generateProducts(count: number, firstNumber: number): SeedProduct[] {
  return Array.from({ length: count }, (_, i) => {
    const assortment = ASSORTMENTS[i % ASSORTMENTS.length];
    if (assortment === undefined) throw new Error("there is no assortment");
    return generate(assortment, Math.floor(i / ASSORTMENTS.length), firstNumber + i);
  });
}

function generate(assortment: Assortment, index: number, number: number): SeedProduct {
  const { category, things, kinds, sizes, sentences, closings } = assortment;
  const combinations = things.length * kinds.length * sizes.length;
  if (index >= combinations) throw new Error(`${category}: only ${combinations} combinations`);
  const at = ((index + 1) * STRIDE) % combinations;
  const [thing, minorUnits] = pick(things, at);
  const [kind, kindPercent] = pick(kinds, Math.floor(at / things.length));
  const [size, sizePercent] = pick(sizes, Math.floor(at / (things.length * kinds.length)));
  const random = seededRandom(number);
  const fill = (text: string) =>
    text
      .replaceAll("{thing}", thing)
      .replaceAll("{kind}", kind)
      // Of the words that there are, these are the ones that want it.
      .replace(/^A (?=[aeio]|um)/, "An ");
  const sentence = fill(one(sentences, random));
  const closing = one(closings, random);
  return {
    sku: `W-${100_000 + number}`,
    name: `${kind} ${thing}, ${size}`,
    description: `${sentence} ${closing}`,
    category,
    minorUnits: niceCents(((minorUnits * kindPercent * sizePercent) / 10_000) * (0.95 + random() / 10)),
    stock: stockFor(random),
  };
}

function pick(items: readonly Rated[], index: number): Rated {
  return items[index % items.length] ?? ["", 0];
}

function one(items: readonly string[], random: () => number): string {
  return items[Math.floor(random() * items.length)] ?? "";
}

/** As a shop would have it: 8.90 rather than 8.87, 129.00 rather than 128.61. */
function niceCents(cents: number): bigint {
  const step = cents < 2_000 ? 10 : cents < 10_000 ? 50 : 100;
  return BigInt(Math.max(step, Math.round(cents / step) * step));
}

/** Most have plenty; one in fifty is sold out, one in thirty nearly. */
function stockFor(random: () => number): number {
  const fate = random();
  if (fate < 0.02) return 0;
  if (fate < 0.05) return 1 + Math.floor(random() * 5);
  return 20 + Math.floor(random() ** 2 * 480);
}
