import type { SeedProduct } from "../seed-data.ts";
import { createDraw, integerFrom, oneOf, type Random, zipfWeights } from "./chance.ts";

/** What somebody puts into a cart. */
export interface Wish {
  readonly product: SeedProduct;
  readonly quantity: number;
}

/** What people want of an assortment. */
export interface Demand {
  /** A product that somebody looks at. */
  look(random: Random): SeedProduct;
  /** A cart full, of what is still on the shelf, and taken from it. */
  fillCart(random: Random): Wish[];
  /** Puts it back. */
  putBack(wishes: readonly Wish[]): void;
  /** Something that is sold out. */
  soldOut(random: Random): SeedProduct;
}

/** What goes with what. */
const AFFINITIES: Readonly<Record<string, readonly string[]>> = {
  "coffee-beans": ["coffee-gear", "coffee-gear", "coffee-beans", "tableware"],
  "coffee-gear": ["coffee-beans", "coffee-beans", "coffee-gear", "tableware"],
  tea: ["tea", "tableware", "tableware"],
  knives: ["cookware", "knives", "linens"],
  cookware: ["knives", "cookware", "linens"],
  tableware: ["tableware", "linens", "tea"],
  linens: ["linens", "home", "tableware"],
  lighting: ["home", "lighting"],
  home: ["lighting", "linens", "home"],
  stationery: ["stationery", "stationery", "bags"],
  outdoor: ["outdoor", "bags", "outdoor"],
  bags: ["outdoor", "stationery", "bags"],
};
/** Of each category, those that others are bought with. */
const COMPANIONS_FROM = 40;
const COMPANIONS = 4;
/** The first companion is the usual one. */
const COMPANION_WEIGHTS = [0.48, 0.27, 0.16, 0.09];
const COMPANION_SHARE = 0.62;
const LINE_COUNTS = [0.44, 0.27, 0.16, 0.08, 0.05];
const QUANTITIES = [0.78, 0.15, 0.04, 0.02, 0.01];
/** The first of the assortment, chosen by hand. */
const FAVOURITES = 40;
/** So much of what was on the shelf at first stays there: a shop that has sold out everything is no demo. */
const KEPT_SHARE = 0.3;
const ATTEMPTS_MAX = 30;

/** Popularity with a long tail, and a taste for things that go together; both follow from the assortment and the seed. */
export function createDemand(products: readonly SeedProduct[], seed: Random): Demand {
  // Shops stock what sells, and put it first.
  const scored = products.map((product, index) => {
    const score = product.stock * (0.2 + seed()) * (index < FAVOURITES ? 2.5 : 1);
    return { product, score };
  });
  const ranked = scored.sort((a, b) => b.score - a.score).map(({ product }) => product);
  const drawRank = createDraw(zipfWeights(ranked.length, { flatness: 8, exponent: 1.02 }));
  const drawCompanion = createDraw(COMPANION_WEIGHTS);
  const drawLineCount = createDraw(LINE_COUNTS);
  const drawQuantity = createDraw(QUANTITIES);
  const empty = products.filter(({ stock }) => stock === 0);
  const left = new Map(products.map(({ sku, stock }) => [sku, Math.floor(stock * (1 - KEPT_SHARE))]));
  const best = new Map<string, SeedProduct[]>();
  for (const product of ranked) {
    const known = best.get(product.category) ?? [];
    best.set(product.category, known);
    if (known.length < COMPANIONS_FROM) known.push(product);
  }
  const companions = new Map<string, readonly SeedProduct[]>();
  const companionsOf = ({ sku, category }: SeedProduct): readonly SeedProduct[] => {
    const known = companions.get(sku);
    if (known !== undefined) return known;
    const categories = AFFINITIES[category] ?? [category];
    const chosen = Array.from({ length: COMPANIONS }, () => oneOf(seed, best.get(oneOf(seed, categories)) ?? ranked));
    companions.set(sku, chosen);
    return chosen;
  };

  const look = (random: Random) => ranked[drawRank(random)] ?? oneOf(random, ranked);
  const pick = (random: Random, cart: readonly Wish[]): SeedProduct => {
    if (cart.length === 0 || random() > COMPANION_SHARE) return look(random);
    const { product } = oneOf(random, cart);
    return companionsOf(product)[drawCompanion(random)] ?? look(random);
  };
  return {
    look,
    fillCart(random) {
      const cart: Wish[] = [];
      const count = 1 + drawLineCount(random);
      for (let attempts = 0; cart.length < count && attempts < ATTEMPTS_MAX; attempts += 1) {
        const product = pick(random, cart);
        const quantity = 1 + drawQuantity(random);
        const rest = (left.get(product.sku) ?? 0) - quantity;
        if (rest < 0 || cart.some((wish) => wish.product === product)) continue;
        left.set(product.sku, rest);
        cart.push({ product, quantity });
      }
      return cart;
    },
    putBack(wishes) {
      for (const { product, quantity } of wishes) left.set(product.sku, (left.get(product.sku) ?? 0) + quantity);
    },
    soldOut: (random) => oneOf(random, empty),
  };
}

/** How many things somebody looks at who comes by. */
export function looksOf(random: Random): number {
  return integerFrom(random, 1, 4);
}
