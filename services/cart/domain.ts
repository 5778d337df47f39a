import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

/** Lines of a cart at most: as many as the catalog is asked for at once. */
export const linesMax = 100;

/** An exact amount: an integer number of the currency's smallest unit. */
export interface Money {
  /** ISO 4217. */
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

/** What the catalog says of a product today. */
export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly price: Money;
}

/** Today's products by SKU; undefined while the catalog is away. */
export type Products = ReadonlyMap<string, Product> | undefined;

/** How many of a product are in the cart, and what it was when it was put in. */
export interface Line {
  readonly sku: string;
  readonly quantity: number;
  /** Epoch ms of the last change. */
  readonly setAtMs: number;
  /** Undefined if the catalog was away. */
  readonly seen: Pick<Product, "name" | "price"> | undefined;
}

/** A cart as it is kept. An emptied one is kept too: one that is not there was lost, or never was. */
export interface Cart {
  /** One more with each change; 0 is a cart that is not there. */
  readonly version: number;
  readonly updatedAtMs: number;
  readonly lines: readonly Line[];
}

export const noCart: Cart = { version: 0, updatedAtMs: 0, lines: [] };

/** The cart with so many of a product, 0 taking it out; the same object if it is so already. @throws FAILED_PRECONDITION when full */
export function withItem(
  cart: Cart,
  item: { readonly sku: string; readonly quantity: number; readonly product: Product | undefined },
  nowMs: number,
): Cart {
  const { sku, quantity, product } = item;
  const before = cart.lines.find((line) => line.sku === sku);
  if ((before?.quantity ?? 0) === quantity) return cart;
  if (quantity === 0) {
    return changed(
      cart,
      cart.lines.filter((line) => line.sku !== sku),
      nowMs,
    );
  }
  const line: Line = { sku, quantity, setAtMs: nowMs, seen: product ?? before?.seen };
  if (before !== undefined) {
    return changed(
      cart,
      cart.lines.map((each) => (each === before ? line : each)),
      nowMs,
    );
  }
  if (cart.lines.length >= linesMax) throw cartFull();
  return changed(cart, [...cart.lines, line], nowMs);
}

/** The user's cart with the visitor's in it: of a product in both the larger quantity stays. `left`: lines that did not fit. */
export function merged(user: Cart, visitor: Cart, nowMs: number): { cart: Cart; set: Line[]; left: Line[] } {
  const lines = new Map(user.lines.map((line) => [line.sku, line]));
  const set: Line[] = [];
  const left: Line[] = [];
  for (const line of visitor.lines) {
    const own = lines.get(line.sku);
    if (own !== undefined && own.quantity >= line.quantity) continue;
    if (own === undefined && lines.size >= linesMax) {
      left.push(line);
      continue;
    }
    const taken = { ...line, setAtMs: nowMs };
    lines.set(line.sku, taken);
    set.push(taken);
  }
  return { cart: set.length === 0 ? user : changed(user, [...lines.values()], nowMs), set, left };
}

/** The cart without what was in it when an order was placed; the same object if there is nothing of it. */
export function withoutOrdered(cart: Cart, placedAtMs: number, nowMs: number): Cart {
  const lines = cart.lines.filter(({ setAtMs }) => setAtMs > placedAtMs);
  return lines.length === cart.lines.length ? cart : changed(cart, lines, nowMs);
}

/** The cart without anything; the same object if there is nothing in it. */
export function emptied(cart: Cart, nowMs: number): Cart {
  return cart.lines.length === 0 ? cart : changed(cart, [], nowMs);
}

function changed(cart: Cart, lines: readonly Line[], nowMs: number): Cart {
  return { version: cart.version + 1, updatedAtMs: nowMs, lines };
}

/** A line at today's name and price. */
export interface PricedLine {
  readonly sku: string;
  readonly quantity: number;
  /** Empty while the catalog is away. */
  readonly name: string;
  /** Undefined while the catalog is away, and when the product is no longer sold. */
  readonly unitPrice: Money | undefined;
}

/** A cart as a customer sees it. */
export interface PricedCart {
  readonly cart: Cart;
  readonly lines: readonly PricedLine[];
  readonly total: Money | undefined;
  /** What there is to say to the customer, a sentence each. */
  readonly notices: readonly string[];
}

/** The cart at today's prices, with what the customer should know of: what was said before, and what has changed since. */
export function priced(cart: Cart, products: Products, said: readonly string[] = []): PricedCart {
  if (products === undefined) {
    const lines = cart.lines.map(({ sku, quantity }) => ({ sku, quantity, name: "", unitPrice: undefined }));
    const away = "Names and prices are not available right now; your cart is kept, and ordering checks prices anew.";
    return { cart, lines, total: undefined, notices: lines.length === 0 ? said : [...said, away] };
  }
  const lines = cart.lines.map(({ sku, quantity, seen }) => {
    const product = products.get(sku);
    return { sku, quantity, name: product?.name ?? seen?.name ?? sku, unitPrice: product?.price };
  });
  const bought = lines.flatMap(({ unitPrice, quantity }) => (unitPrice ? [{ unitPrice, quantity }] : []));
  const [currency, ...others] = new Set(bought.map(({ unitPrice }) => unitPrice.currencyCode));
  const notices = [...said, ...cart.lines.flatMap((line) => noticeOf(line, products.get(line.sku)))];
  if (currency === undefined) return { cart, lines, total: undefined, notices };
  if (others.length > 0) {
    return {
      cart,
      lines,
      total: undefined,
      notices: [
        ...notices,
        `Prices are in several currencies (${[currency, ...others].join(", ")}): there is no total, and one order takes one.`,
      ],
    };
  }
  const minorUnits = bought.reduce((sum, each) => sum + each.unitPrice.minorUnits * BigInt(each.quantity), 0n);
  return { cart, lines, total: { currencyCode: currency, minorUnits }, notices };
}

function noticeOf({ sku, seen }: Line, product: Product | undefined): string[] {
  if (product === undefined) return [`${seen?.name ?? sku} is no longer sold.`];
  if (seen === undefined) return [];
  const { currencyCode, minorUnits } = seen.price;
  const same = product.price.currencyCode === currencyCode && product.price.minorUnits === minorUnits;
  return same ? [] : [`The price of ${product.name} has changed since you put it in.`];
}

/** What a caller who has seen a later version than there is should tell the customer. */
export function lossNotices(cart: Cart, expectedVersion: bigint): string[] {
  if (expectedVersion <= BigInt(cart.version)) return [];
  return ["We are sorry: your cart was lost or has expired. Please put in again what you want."];
}

/** What a request that would make a cart too long is answered with. */
export function cartFull(): ConnectError {
  return rpcError(Code.FailedPrecondition, `a cart holds ${linesMax} different products at most`, {
    reason: "CART_FULL",
    metadata: { lines_max: String(linesMax) },
  });
}

/** What a request for a product that does not exist is answered with. */
export function productNotFound(sku: string): ConnectError {
  return rpcError(Code.NotFound, `there is no product with SKU ${JSON.stringify(sku)}`, {
    reason: "PRODUCT_NOT_FOUND",
    metadata: { sku },
  });
}

/** What a change is answered with when others keep changing the same cart meanwhile. */
export function cartContended(): ConnectError {
  return rpcError(Code.Aborted, "the cart is being changed by others, try again", { reason: "CART_CONTENDED" });
}
