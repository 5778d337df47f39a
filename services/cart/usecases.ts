import type { Clock } from "@weft/mesh/contract";
import {
  type Cart,
  cartContended,
  emptied,
  type Line,
  lossNotices,
  merged,
  type PricedCart,
  type Products,
  priced,
  productNotFound,
  withItem,
  withoutOrdered,
} from "./domain.ts";

/** A cart and the mark by which the store knows whether it has changed since. */
export interface FoundCart {
  readonly cart: Cart;
  readonly mark: string;
}

/** One cart's change. */
export interface CartChange {
  readonly cartId: string;
  readonly before: FoundCart;
  readonly after: Cart;
}

/** What is kept of a call with an idempotency key. */
export interface KeptAnswer {
  readonly requestHash: string;
  readonly answer: string;
}

/** Carts as they are kept. */
export interface CartStore {
  /** One that is not there is NO_CART. */
  find(cartId: string): Promise<FoundCart>;
  /**
   * Stores all, or none if one of them has changed since it was found; says whether it did. With an answer to keep, that too; or none of it and
   * the answer that is there, if there is one.
   */
  save(
    changes: readonly CartChange[],
    keep?: { readonly id: string; readonly kept: KeptAnswer },
  ): Promise<boolean | KeptAnswer>;
  findAnswer(id: string): Promise<KeptAnswer | undefined>;
}

/** A call with an idempotency key: the first is answered and the answer kept, together; the others get that. */
export interface Once {
  /** Names cart, method and key. */
  readonly id: string;
  keep(answer: PricedCart): KeptAnswer;
  /** @throws ConnectError ALREADY_EXISTS if it was another request's */
  repeat(kept: KeptAnswer): PricedCart;
}

export interface CartDeps {
  readonly carts: CartStore;
  /** Today's products of those SKUs that exist; undefined while the catalog is away. */
  readonly products: (skus: readonly string[]) => Promise<Products>;
  /** Tells the rest of the shop. */
  readonly updated: (cartId: string, line: { readonly sku: string; readonly quantity: number }) => void;
  readonly clock: Pick<Clock, "now">;
}

/** How often a change is decided anew when somebody else changed the cart meanwhile. */
const changeAttemptsMax = 8;

/** A cart at today's prices, with a notice if the caller has seen a later version than there is. */
export async function getCart(
  deps: Pick<CartDeps, "carts" | "products">,
  { cartId, expectedVersion }: { cartId: string; expectedVersion: bigint },
): Promise<PricedCart> {
  const { cart } = await deps.carts.find(cartId);
  return priced(cart, await productsOf(deps, cart.lines), lossNotices(cart, expectedVersion));
}

/** Sets how many of a product are in a cart. NOT_FOUND if there is no such product; one is taken at its word while the catalog is away. */
export async function setItem(
  deps: CartDeps,
  { cartId, sku, quantity }: { cartId: string; sku: string; quantity: number },
  once?: Once,
): Promise<PricedCart> {
  return await answered(deps, once, async () => {
    const before = await deps.carts.find(cartId);
    // Whether it fits is known without asking anybody.
    withItem(before.cart, { sku, quantity, product: undefined }, deps.clock.now());
    const products = await productsOf(deps, quantity === 0 ? before.cart.lines : [...before.cart.lines, { sku }]);
    if (quantity > 0 && products && !products.has(sku)) throw productNotFound(sku);
    const after = withItem(before.cart, { sku, quantity, product: products?.get(sku) }, deps.clock.now());
    const answer = priced(after, products);
    if (after === before.cart) return { answer, changes: [], set: [] };
    return { answer, changes: [{ cartId, before, after }], set: [{ cartId, sku, quantity }] };
  });
}

/** Adds a visitor's cart to a user's and empties it, both or neither, so that doing it again changes nothing. */
export async function mergeCarts(
  deps: CartDeps,
  { visitorCartId, userCartId }: { visitorCartId: string; userCartId: string },
  once?: Once,
): Promise<PricedCart> {
  return await answered(deps, once, async () => {
    const [visitor, user] = await Promise.all([deps.carts.find(visitorCartId), deps.carts.find(userCartId)]);
    const { cart, set, left } = merged(user.cart, visitor.cart, deps.clock.now());
    const empty = emptied(visitor.cart, deps.clock.now());
    const changes: CartChange[] = [];
    if (empty !== visitor.cart) changes.push({ cartId: visitorCartId, before: visitor, after: empty });
    if (cart !== user.cart) changes.push({ cartId: userCartId, before: user, after: cart });
    const said = left.length === 0 ? [] : [`${left.length} of your products did not fit into your cart.`];
    const answer = priced(cart, await productsOf(deps, cart.lines), said);
    return { answer, changes, set: set.map((line) => ({ ...line, cartId: userCartId })) };
  });
}

/** Empties a cart. */
export async function clearCart(deps: CartDeps, cartId: string): Promise<void> {
  const removed = await change(deps, cartId, (cart) => emptied(cart, deps.clock.now()));
  for (const { sku } of removed) deps.updated(cartId, { sku, quantity: 0 });
}

/**
 * Takes out of a user's cart what was in it when he placed an order. What he has put in since stays, so it may be done late, and
 * again.
 */
export async function emptyOrdered(
  deps: Pick<CartDeps, "carts" | "clock">,
  { userId, placedAt }: { userId: string; placedAt: Date },
): Promise<void> {
  await change(deps, `user:${userId}`, (cart) => withoutOrdered(cart, placedAt.getTime(), deps.clock.now()));
}

/** Changes one cart; answers with the lines that it has lost. */
async function change(
  { carts }: Pick<CartDeps, "carts">,
  cartId: string,
  next: (cart: Cart) => Cart,
): Promise<readonly Line[]> {
  return decide(async () => {
    const before = await carts.find(cartId);
    const after = next(before.cart);
    if (after === before.cart) return [];
    if (!(await carts.save([{ cartId, before, after }]))) return undefined;
    return before.cart.lines.filter((line) => !after.lines.includes(line));
  });
}

/** What a call does to carts, what it says, and what others are told of. */
interface Decision {
  readonly answer: PricedCart;
  readonly changes: readonly CartChange[];
  readonly set: readonly { readonly cartId: string; readonly sku: string; readonly quantity: number }[];
}

/** Decides until a decision holds, and answers; a call with a key that was answered already gets that answer. */
async function answered(
  { carts, updated }: Pick<CartDeps, "carts" | "updated">,
  once: Once | undefined,
  decideOn: () => Promise<Decision>,
): Promise<PricedCart> {
  const known = await (once && carts.findAnswer(once.id));
  if (once !== undefined && known !== undefined) return once.repeat(known);
  return await decide(async () => {
    const { answer, changes, set } = await decideOn();
    if (once === undefined && changes.length === 0) return answer;
    const saved = await carts.save(changes, once && { id: once.id, kept: once.keep(answer) });
    if (once !== undefined && typeof saved === "object") return once.repeat(saved);
    if (saved === false) return undefined;
    for (const { cartId, ...line } of set) updated(cartId, line);
    return answer;
  });
}

/** Decides until a decision holds: undefined is one that came too late. @throws ABORTED when others are always faster */
async function decide<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  for (let count = 0; count < changeAttemptsMax; count += 1) {
    const result = await attempt();
    if (result !== undefined) return result;
  }
  throw cartContended();
}

async function productsOf(
  { products }: Pick<CartDeps, "products">,
  lines: readonly { readonly sku: string }[],
): Promise<Products> {
  return lines.length === 0 ? new Map() : await products([...new Set(lines.map(({ sku }) => sku))]);
}
