import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { PlaceOrderResponseSchema } from "../../../../gen/shop/api/v1/order_pb.ts";
import { type CheckoutDeps, createCheckout } from "./checkout.ts";
import { createTestStorage } from "./testing.ts";

const purchase = { lines: [{ sku: "CUP", quantity: 2 }], paymentMethod: "tok_visa" };
const answer = create(PlaceOrderResponseSchema, { order: { orderId: "ord_1" } });

/** A checkout whose orders end as `ends` says, one after the other, and what was sent. */
function setUp(...ends: (Code | "answered")[]) {
  const sent: { key: string | undefined; method: string | undefined }[] = [];
  const storage = createTestStorage();
  let keys = 0;
  let user: string | undefined = "usr_1";
  const deps: CheckoutDeps = {
    storage,
    userId: () => user,
    newKey: () => `key-${++keys}`,
    orders: {
      async placeOrder({ idempotencyKey, paymentMethod }) {
        sent.push({ key: idempotencyKey, method: paymentMethod });
        const end = ends.shift() ?? "answered";
        if (end !== "answered") throw new ConnectError("no", end);
        return answer;
      },
    },
  };
  return {
    sent,
    open: () => createCheckout(deps),
    become(other: string) {
      user = other;
    },
  };
}

test("a double click is one request", async () => {
  const { open, sent } = setUp();
  const checkout = open();
  const [first, second] = await Promise.all([checkout.place(purchase), checkout.place(purchase)]);
  expect(first).toBe(second);
  expect(sent).toHaveLength(1);
});

test("two purchases are two orders", async () => {
  const { open, sent } = setUp();
  const checkout = open();
  await checkout.place(purchase);
  await checkout.place(purchase);
  expect(sent.map(({ key }) => key)).toEqual(["key-1", "key-2"]);
});

test.each([Code.Unavailable, Code.DeadlineExceeded, Code.Unknown, Code.Internal, Code.Canceled, Code.Unauthenticated])(
  "after code %s the same is sent with the same key, even by a page loaded anew and with another choice",
  async (code) => {
    const { open, sent } = setUp(code);
    await expect(open().place(purchase)).rejects.toMatchObject({ code });
    const again = open();
    expect(again.unanswered()).toEqual(purchase);
    await again.place({ ...purchase, paymentMethod: "tok_other" });
    expect(sent).toEqual([
      { key: "key-1", method: "tok_visa" },
      { key: "key-1", method: "tok_visa" },
    ]);
    expect(again.unanswered()).toBeUndefined();
  },
);

test.each([Code.InvalidArgument, Code.FailedPrecondition, Code.AlreadyExists])(
  "code %s is an answer: the next attempt is a new one",
  async (code) => {
    const { open, sent } = setUp(code);
    const checkout = open();
    await expect(checkout.place(purchase)).rejects.toMatchObject({ code });
    expect(checkout.unanswered()).toBeUndefined();
    await checkout.place(purchase);
    expect(sent.map(({ key }) => key)).toEqual(["key-1", "key-2"]);
  },
);

test("nobody is asked about somebody else's order", async () => {
  const { open, become } = setUp(Code.Unavailable);
  await expect(open().place(purchase)).rejects.toThrow();
  become("usr_2");
  expect(open().unanswered()).toBeUndefined();
});
