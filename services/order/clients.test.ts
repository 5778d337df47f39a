import { Code, createRouterTransport } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import type { Logger } from "@weft/mesh/telemetry";
import { expect, test, vi } from "vitest";
import { PaymentService, PaymentState } from "../../gen/shop/payment/v1/payment_pb.ts";
import { answerOf, createPayment } from "./clients.ts";
import type { Order } from "./domain.ts";
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

test.each([
  [Code.Unavailable, "warn"],
  [Code.DeadlineExceeded, "warn"],
  [Code.Internal, "error"],
  [Code.NotFound, "debug"],
] as const)(
  "a payment that answers %i is unknown, and said in the log as %s with the order's id",
  async (code, level) => {
    const fails = () => {
      throw rpcError(code, "no");
    };
    const transport = createRouterTransport(({ rpc }) => {
      rpc(PaymentService.method.authorizePayment, fails);
      rpc(PaymentService.method.getPayment, fails);
    });
    const logger: Logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const payment = createPayment({ transport: () => transport }, logger);
    const order = { orderId: "ord_1", total: { currencyCode: "EUR", minorUnits: 1n } } as Order;
    expect(await payment.authorize(order, "tok_visa")).toEqual({ type: "unknown" });
    expect(await payment.ask("ord_1")).toEqual({ type: "unknown" });
    const fields = expect.objectContaining({ order_id: "ord_1", code: Code[code], detail: "no" });
    expect(logger[level]).toHaveBeenCalledTimes(2);
    expect(logger[level]).toHaveBeenCalledWith(expect.any(String), fields);
  },
);
