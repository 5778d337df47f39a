import type { Client } from "@connectrpc/connect";
import type { Cart, CartService } from "../../../../gen/shop/api/v1/cart_pb.ts";
import { createChanges } from "./changes.ts";
import type { Session } from "./session.ts";
import type { Storage } from "./storage.ts";

export const quantityMax = 1_000;

/** The cart of whoever is here, as the server last told. */
export interface CartStore {
  /** Undefined before the first answer. */
  current(): Cart | undefined;
  /** Of all lines. */
  itemCount(): number;
  /** False for a visitor who has never touched one: there is nothing to load. */
  mayHaveItems(): boolean;
  load(): Promise<Cart>;
  /** @param quantity 0 takes the product out */
  setQuantity(sku: string, quantity: number): Promise<Cart>;
  add(sku: string, quantity: number): Promise<Cart>;
  /** After logging in: adds the visitor's cart to the customer's. */
  merge(): Promise<void>;
  /** The cart is known to be another's or empty: shows none until it is asked for again. */
  forget(): void;
  listen(listener: () => void): () => void;
}

export interface CartDeps {
  readonly carts: Pick<Client<typeof CartService>, "getCart" | "setCartItem" | "mergeCart">;
  readonly session: Pick<Session, "userId">;
  readonly storage: Storage;
  /** At least 8 characters of A-Z, a-z, 0-9, _ and -, that nobody can guess. */
  readonly newId: () => string;
}

interface Seen {
  readonly owner: string;
  readonly version: string;
}

export function createCartStore({ carts, session, storage, newId }: CartDeps): CartStore {
  const { listen, tell } = createChanges();
  let cart: Cart | undefined;
  // Changes go one after the other: each names the quantity that it wants, and the last must win.
  let last: Promise<unknown> = Promise.resolve();

  const visitorCartId = (): string => {
    const known = storage.read<string>("visitor-cart");
    if (known !== undefined) return known;
    const made = newId();
    storage.write("visitor-cart", made);
    return made;
  };
  const owner = (): string => session.userId() ?? visitorCartId();
  const take = (answer: Cart | undefined): Cart => {
    if (answer === undefined) throw new Error("the answer holds no cart");
    cart = answer;
    storage.write("cart-seen", { owner: owner(), version: String(answer.version) } satisfies Seen);
    tell();
    return answer;
  };
  const inTurn = <Value>(act: () => Promise<Value>): Promise<Value> => {
    const turn = last.then(act, act);
    last = turn.catch(() => undefined);
    return turn;
  };
  // The server tells a cart that was lost from one that was never there by the version that we have seen.
  const load = async (): Promise<Cart> => {
    const seen = storage.read<Seen>("cart-seen");
    const expectedVersion = seen?.owner === owner() ? BigInt(seen.version) : 0n;
    return take((await carts.getCart({ visitorCartId: visitorCartId(), expectedVersion })).cart);
  };
  const setQuantity = async (sku: string, quantity: number): Promise<Cart> =>
    take((await carts.setCartItem({ visitorCartId: visitorCartId(), sku, quantity })).cart);

  return {
    current: () => cart,
    itemCount: () => cart?.lines.reduce((sum, { quantity }) => sum + quantity, 0) ?? 0,
    mayHaveItems: () => session.userId() !== undefined || storage.read("visitor-cart") !== undefined,
    load: () => inTurn(load),
    setQuantity: (sku, quantity) => inTurn(() => setQuantity(sku, quantity)),
    add: (sku, quantity) =>
      inTurn(async () => {
        const { lines } = cart ?? (await load());
        const before = lines.find((line) => line.sku === sku)?.quantity ?? 0;
        return await setQuantity(sku, Math.min(before + quantity, quantityMax));
      }),
    merge: () =>
      inTurn(async () => {
        const id = storage.read<string>("visitor-cart");
        if (id === undefined) return;
        take((await carts.mergeCart({ visitorCartId: id })).cart);
        storage.remove("visitor-cart");
      }),
    forget() {
      cart = undefined;
      tell();
    },
    listen,
  };
}
