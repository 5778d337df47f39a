import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { AccountService } from "../../../../gen/shop/api/v1/account_pb.ts";
import { CartService } from "../../../../gen/shop/api/v1/cart_pb.ts";
import { OrderService } from "../../../../gen/shop/api/v1/order_pb.ts";
import { sendKeys } from "./keys.ts";

/** Clients of a server that keeps the keys it gets; `fails` is what it answers with, in order. */
function clients(...fails: (Code | undefined)[]) {
  const keys: (string | null)[] = [];
  let numbers = 0;
  const answer = (_request: object, { requestHeader }: { requestHeader: Headers }) => {
    keys.push(requestHeader.get("idempotency-key"));
    const code = fails.shift();
    if (code !== undefined) throw new ConnectError("no", code);
    return {};
  };
  const transport = createRouterTransport(
    (router) => {
      router.service(CartService, { setCartItem: answer, getCart: answer });
      router.service(AccountService, { updateProfile: answer, logIn: answer });
      router.service(OrderService, { placeOrder: answer });
    },
    { transport: { interceptors: [sendKeys(() => `k${++numbers}`)] } },
  );
  const set = (quantity: number) =>
    createClient(CartService, transport)
      .setCartItem({ sku: "CUP", quantity })
      .catch(() => {});
  return { keys, transport, set };
}

test("each thing that is wanted has a key of its own", async () => {
  const { keys, set } = clients();
  for (const quantity of [1, 1, 2]) await set(quantity);
  expect(keys).toEqual(["k1", "k2", "k3"]);
});

test.each([Code.Unavailable, Code.DeadlineExceeded, Code.Unknown, Code.Internal, Code.Canceled])(
  "what was not answered (%s) has the same key when it is asked for again, until it is answered",
  async (code) => {
    const { keys, set } = clients(code, code);
    for (const quantity of [1, 1, 1, 1]) await set(quantity);
    expect(keys).toEqual(["k1", "k1", "k1", "k2"]);
  },
);

test("a refusal is an answer", async () => {
  const { keys, set } = clients(Code.FailedPrecondition);
  for (const quantity of [1, 1]) await set(quantity);
  expect(keys).toEqual(["k1", "k2"]);
});

test("once something else was wanted, what was not answered is not what is wanted now", async () => {
  const { keys, set } = clients(Code.Unavailable);
  for (const quantity of [1, 2, 1]) await set(quantity);
  expect(keys).toEqual(["k1", "k2", "k3"]);
});

test("keys of different methods do not touch, and only methods that take one in a header get one", async () => {
  const { keys, transport, set } = clients(Code.Unavailable);
  await set(1);
  await createClient(AccountService, transport).updateProfile({});
  await createClient(AccountService, transport).logIn({});
  await createClient(CartService, transport).getCart({});
  await createClient(OrderService, transport).placeOrder({ idempotencyKey: "own-key" });
  await set(1);
  expect(keys).toEqual(["k1", "k2", null, null, null, "k1"]);
});
