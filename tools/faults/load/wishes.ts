import { createDraw, integerFrom, oneOf, type Random } from "../../dev/history/chance.ts";
import { SEED_PRODUCTS } from "../../dev/seed-data.ts";

/** What a client does next. */
export type Wish =
  | { readonly kind: "placeOrder"; readonly lines: readonly Line[]; readonly paymentMethod: string }
  | { readonly kind: "cancelOrder" }
  | { readonly kind: "setCartItem"; readonly sku: string; readonly quantity: number }
  | { readonly kind: "readProduct"; readonly sku: string };

interface Line {
  readonly sku: string;
  readonly quantity: number;
}

/** How often each is wished for. */
const KINDS = ["placeOrder", "cancelOrder", "setCartItem", "readProduct"] as const;
const KIND_WEIGHTS = [60, 8, 12, 20];
const METHODS = ["tok_visa", "tok_declined", "tok_capture_fails", "tok_slow"] as const;
const METHOD_WEIGHTS = [86, 6, 5, 3];

const stocked = (min: number, max: number) =>
  SEED_PRODUCTS.filter(({ stock }) => stock >= min && stock <= max).map(({ sku }) => sku);
/** Wanted by many at once, so that their rows are fought for. */
const HOT = stocked(300, 1_000).slice(0, 12);
/** The last few units, so that orders are refused for want of stock. */
const SCARCE = stocked(1, 5).slice(0, 40);
const TAIL = stocked(50, 300);

/** Draws wishes: always the same ones from the same numbers. */
export function createWishes(random: Random): () => Wish {
  const drawKind = createDraw(KIND_WEIGHTS);
  const drawMethod = createDraw(METHOD_WEIGHTS);
  const sku = (): string => {
    const chance = random();
    return oneOf(random, chance < 0.3 ? HOT : chance < 0.4 ? SCARCE : TAIL);
  };
  return () => {
    const kind = KINDS[drawKind(random)] ?? "readProduct";
    switch (kind) {
      case "placeOrder": {
        const skus = new Set(Array.from({ length: integerFrom(random, 1, 3) }, sku));
        const lines = [...skus].map((each) => ({ sku: each, quantity: integerFrom(random, 1, 2) }));
        return { kind, lines, paymentMethod: METHODS[drawMethod(random)] ?? "tok_visa" };
      }
      case "cancelOrder":
        return { kind };
      case "setCartItem":
        return { kind, sku: sku(), quantity: integerFrom(random, 0, 3) };
      case "readProduct":
        return { kind, sku: sku() };
    }
  };
}
