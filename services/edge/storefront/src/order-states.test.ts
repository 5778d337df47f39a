import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { OrderSchema, OrderState, OrderStateSchema } from "../../../../gen/shop/api/v1/order_pb.ts";
import { canCancel, stateName, stateWords, stepsOf } from "./order-states.ts";

const order = (...states: OrderState[]) =>
  create(OrderSchema, {
    state: states.at(-1) ?? OrderState.PLACED,
    history: states.map((state, index) => ({ state, enteredAt: timestampFromMs(index * 1_000) })),
  });
const drawn = (...states: OrderState[]) =>
  stepsOf(order(...states)).map(({ state, position }) => [stateName(state), position]);

test("an order on its way shows what is behind it and what is to come", () => {
  expect(drawn(OrderState.PLACED, OrderState.RESERVED)).toEqual([
    ["placed", "past"],
    ["reserved", "present"],
    ["confirmed", "future"],
    ["paid", "future"],
    ["shipped", "future"],
    ["delivered", "future"],
  ]);
});

test("an order that waits for its payment can still be confirmed", () => {
  const steps = drawn(OrderState.PLACED, OrderState.RESERVED, OrderState.AWAITING_PAYMENT);
  expect(steps.slice(2, 4)).toEqual([
    ["awaiting_payment", "present"],
    ["confirmed", "future"],
  ]);
});

test("nothing is to come for a cancelled order", () => {
  expect(drawn(OrderState.PLACED, OrderState.CANCELLED)).toEqual([
    ["placed", "past"],
    ["cancelled", "present"],
  ]);
});

test("a step knows when it was taken, to the millisecond", () => {
  expect(stepsOf(order(OrderState.PLACED, OrderState.RESERVED))[1]).toMatchObject({ enteredAtMs: 1_000 });
});

test("every state of the contract has words, and only what has not left can be cancelled", () => {
  const states = OrderStateSchema.values.map(({ number }) => number as OrderState).filter((state) => state !== 0);
  expect(new Set(states.map((state) => stateWords(state).title)).size).toBe(states.length);
  expect(states.filter((state) => !canCancel(state)).map(stateName)).toEqual(["cancelled", "shipped", "delivered"]);
  expect(stateWords(99 as OrderState).title).toBe("In progress");
});
