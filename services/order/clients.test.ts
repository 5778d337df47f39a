import { expect, test } from "vitest";
import { PaymentState } from "../../gen/shop/payment/v1/payment_pb.ts";
import { answerOf } from "./clients.ts";
import type { AuthorizationAnswer } from "./saga.ts";

test.each<[keyof typeof PaymentState, AuthorizationAnswer]>([
  ["AUTHORIZED", { type: "authorized" }],
  ["CAPTURED", { type: "authorized" }],
  ["DECLINED", { type: "declined", reason: "why" }],
  ["FAILED", { type: "declined", reason: "why" }],
  ["VOIDED", { type: "declined", reason: "why" }],
  ["REFUNDED", { type: "declined", reason: "the payment was given back" }],
  ["PENDING", { type: "unknown" }],
  ["UNSPECIFIED", { type: "unknown" }],
])("a payment that is %s means %j to the order", (state, answer) => {
  expect(answerOf({ state: PaymentState[state], reason: "why" })).toEqual(answer);
});

test("a state that this release does not know, and no payment, are unknown: never a confirmation", () => {
  expect(answerOf({ state: 99 as PaymentState, reason: "" })).toEqual({ type: "unknown" });
  expect(answerOf(undefined)).toEqual({ type: "unknown" });
});
