import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { currentCall, requireEndUser } from "@weft/mesh/context";
import { type OrderSchema, OrderService, OrderState } from "../../gen/shop/order/v1/order_pb.ts";
import type { Order } from "./domain.ts";
import { getOrder, type PlaceOrderDeps, placeOrder, watchOrder } from "./usecases.ts";

/** OrderService over the use cases. */
export function orderRoutes(deps: PlaceOrderDeps): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof OrderService> = {
    async placeOrder({ idempotencyKey, lines, paymentMethod }) {
      const { userId } = requireEndUser();
      return { order: toMessage(await placeOrder(deps, { userId, idempotencyKey, lines, paymentMethod })) };
    },

    async getOrder({ orderId }) {
      return { order: toMessage(await getOrder(deps, { orderId, userId: currentCall()?.endUser?.userId })) };
    },

    async *watchOrder({ orderId }) {
      const userId = currentCall()?.endUser?.userId;
      for await (const order of watchOrder(deps, { orderId, userId })) yield { order: toMessage(order) };
    },
  };
  return (router) => router.service(OrderService, service);
}

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
    history: order.history.map(({ state, enteredAt }) => ({
      state: OrderState[state],
      enteredAt: timestampFromDate(enteredAt),
    })),
    version: BigInt(order.version),
  };
}
