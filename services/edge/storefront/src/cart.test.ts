import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  GetCartResponseSchema,
  MergeCartResponseSchema,
  SetCartItemResponseSchema,
} from "../../../../gen/shop/api/v1/cart_pb.ts";
import { type CartDeps, createCartStore } from "./cart.ts";
import { createTestStorage } from "./testing.ts";

/** A server with one cart, and what it was asked. */
function setUp() {
  const lines = new Map<string, number>();
  const asked: string[] = [];
  let version = 0n;
  let userId: string | undefined;
  let mergeFails = false;
  const cart = () => ({ version, lines: [...lines].map(([sku, quantity]) => ({ sku, quantity })) });
  const deps: CartDeps = {
    storage: createTestStorage(),
    session: { userId: () => userId },
    newId: () => "visitor-1",
    carts: {
      async getCart({ visitorCartId, expectedVersion }) {
        asked.push(`get ${visitorCartId} ${expectedVersion}`);
        return create(GetCartResponseSchema, { cart: cart() });
      },
      async setCartItem({ sku = "", quantity = 0 }) {
        asked.push(`set ${sku} ${quantity}`);
        if (quantity === 0) lines.delete(sku);
        else lines.set(sku, quantity);
        version += 1n;
        return create(SetCartItemResponseSchema, { cart: cart() });
      },
      async mergeCart({ visitorCartId }) {
        asked.push(`merge ${visitorCartId}`);
        if (mergeFails) throw new ConnectError("away", Code.Unavailable);
        return create(MergeCartResponseSchema, { cart: cart() });
      },
    },
  };
  return {
    asked,
    open: () => createCartStore(deps),
    logIn(fails = false) {
      userId = "usr_1";
      mergeFails = fails;
    },
  };
}

test("adding twice at once adds both", async () => {
  const { open } = setUp();
  const cart = open();
  await Promise.all([cart.add("CUP", 1), cart.add("CUP", 2)]);
  expect(cart.itemCount()).toBe(3);
});

test("a cart takes no more of a product than the contract allows", async () => {
  const { open } = setUp();
  const cart = open();
  await cart.add("CUP", 999);
  await cart.add("CUP", 999);
  expect(cart.itemCount()).toBe(1_000);
});

test("tells the server which version it has seen, so that a lost cart is noticed; another's version is not", async () => {
  const { open, asked, logIn } = setUp();
  await open().setQuantity("CUP", 1);
  await open().load();
  logIn();
  await open().load();
  expect(asked).toEqual(["set CUP 1", "get visitor-1 1", "get visitor-1 0"]);
});

test("a visitor's cart is merged once; if that fails it is kept for the next time", async () => {
  const { open, asked, logIn } = setUp();
  const cart = open();
  await cart.load();
  logIn(true);
  await expect(cart.merge()).rejects.toThrow();
  logIn(false);
  await cart.merge();
  await cart.merge();
  expect(asked.filter((each) => each.startsWith("merge"))).toEqual(["merge visitor-1", "merge visitor-1"]);
});
