import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import { type Order as OrderMessage, type OrderSchema, OrderState } from "../../gen/shop/order/v1/order_pb.ts";
import type { Money } from "../../gen/shop/type/v1/money_pb.ts";
import type { Order } from "./domain.ts";

/** An order as the contract has it. */
export function toMessage(order: Order): MessageInitShape<typeof OrderSchema> {
  return {
    orderId: order.orderId,
    userId: order.userId,
    state: OrderState[order.state],
    lines: [...order.lines],
    total: order.total,
    cancelReason: order.cancelReason,
    paymentInstructions: order.paymentInstructions,
    trackingNumber: order.trackingNumber,
    history: order.history.map(({ state, enteredAt }) => ({
      state: OrderState[state],
      enteredAt: timestampFromDate(enteredAt),
    })),
    version: BigInt(order.version),
  };
}

/** An order that was answered, to be answered again. When its payment is due, and the cause of its end, the contract does not say. */
export function fromMessage(order: OrderMessage): Order {
  const { orderId, userId, cancelReason, paymentInstructions, trackingNumber } = order;
  return {
    ...{ orderId, userId, cancelReason, paymentInstructions, trackingNumber, paymentDueAt: undefined, cancelCause: "" },
    state: stateOf(order.state),
    lines: order.lines.map(({ sku, name, quantity, unitPrice }) => ({
      ...{ sku, name, quantity },
      unitPrice: moneyOf(unitPrice),
    })),
    total: moneyOf(order.total),
    history: order.history.map(({ state, enteredAt }) => ({
      state: stateOf(state),
      enteredAt: enteredAt ? timestampDate(enteredAt) : new Date(0),
    })),
    version: Number(order.version),
  };
}

const states = new Map<OrderState, Order["state"]>([
  [OrderState.PLACED, "PLACED"],
  [OrderState.RESERVED, "RESERVED"],
  [OrderState.AWAITING_PAYMENT, "AWAITING_PAYMENT"],
  [OrderState.CONFIRMED, "CONFIRMED"],
  [OrderState.PAID, "PAID"],
  [OrderState.SHIPPED, "SHIPPED"],
  [OrderState.DELIVERED, "DELIVERED"],
  [OrderState.CANCELLED, "CANCELLED"],
]);

function stateOf(state: OrderState): Order["state"] {
  const known = states.get(state);
  if (known === undefined) throw rpcError(Code.DataLoss, `an order was answered with a state of no meaning: ${state}`);
  return known;
}

function moneyOf(money: Money | undefined): Order["total"] {
  if (money === undefined) throw rpcError(Code.DataLoss, "an order was answered with an amount without a value");
  return { currencyCode: money.currencyCode, minorUnits: money.minorUnits };
}
