import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { currentCall, requireEndUser } from "@weft/mesh/context";
import { rpcError } from "@weft/mesh/contract";
import { decodePageToken, encodePageToken, type Idempotency } from "@weft/mesh/data";
import type { Audited } from "@weft/mesh/telemetry";
import {
  type Order as OrderMessage,
  OrderSchema,
  OrderService,
  OrderState,
  type OrderSummarySchema,
} from "../../gen/shop/order/v1/order_pb.ts";
import type { ConfirmedOrdersDeps } from "./confirmed-orders.ts";
import type { Order } from "./domain.ts";
import type { EventPosition } from "./event-pages.ts";
import {
  cancelOrder,
  deliverOrder,
  type FulfilmentDeps,
  type InStatePosition,
  type ListInStateDeps,
  listOrdersInState,
  shipOrder,
} from "./fulfilment.ts";
import { type HistoryDeps, listOrders, type OrderSummary } from "./history.ts";
import { fromMessage, toMessage } from "./messages.ts";
import { getOrder, type PlaceOrderDeps, placeOrder, watchOrder } from "./usecases.ts";

/** What operators do to a running service. */
export interface OperatorDeps {
  /** @throws ConnectError PERMISSION_DENIED if the caller is no operator */
  readonly requireOperator: () => void;
  readonly audited: Audited;
  readonly rebuildHistory: () => Promise<Rebuilt>;
}

interface Rebuilt {
  /** Orders that the history has been told of anew. */
  readonly rows: number;
  readonly removed: number;
}

/** How calls with an idempotency key are remembered. */
export interface KeyDeps {
  readonly idempotency: Pick<Idempotency, "method">;
}

/** What is kept of a change: the order as it was answered. */
const answeredOrder = {
  toAnswer: (order: Order) => ({ order: toMessage(order) }),
  fromAnswer: ({ order }: { readonly order?: OrderMessage | undefined }) => fromMessage(order ?? create(OrderSchema)),
};

/** OrderService over the use cases. */
export function orderRoutes(
  deps: PlaceOrderDeps & FulfilmentDeps & ListInStateDeps & HistoryDeps & ConfirmedOrdersDeps & OperatorDeps & KeyDeps,
): (router: ConnectRouter) => void {
  const { cancelOrder: cancelling, shipOrder: shipping, deliverOrder: delivering } = OrderService.method;
  const keyed = {
    cancel: deps.idempotency.method(cancelling, answeredOrder),
    ship: deps.idempotency.method(shipping, answeredOrder),
    deliver: deps.idempotency.method(delivering, answeredOrder),
  };
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

    async cancelOrder(request) {
      const { userId } = requireEndUser();
      const { orderId } = request;
      return { order: toMessage(await cancelOrder(deps, { orderId, userId }, keyed.cancel(request))) };
    },

    async shipOrder(request) {
      const { orderId, trackingNumber } = request;
      return { order: toMessage(await shipOrder(deps, { orderId, trackingNumber }, keyed.ship(request))) };
    },

    async deliverOrder(request) {
      return { order: toMessage(await deliverOrder(deps, request.orderId, keyed.deliver(request))) };
    },

    async listOrdersInState({ state, newestFirst, pageSize, pageToken }) {
      const name = state === OrderState.SHIPPED ? "SHIPPED" : "PAID";
      const list = `order.in_state/${name}${newestFirst ? "/newest" : ""}`;
      const after = pageToken === "" ? undefined : positionOf(decodePageToken(list, pageToken));
      const { orders, next } = await listOrdersInState(deps, { state: name, newestFirst, after, pageSize });
      return {
        orders: orders.map(toMessage),
        nextPageToken: next === undefined ? "" : encodePageToken(list, [next.since.toISOString(), next.orderId]),
      };
    },

    async listOrders({ pageSize, pageToken }) {
      const { userId } = requireEndUser();
      const list = `order.orders/${userId}`;
      const before = pageToken === "" ? undefined : decodePageToken(list, pageToken)[0];
      const { orders, next } = await listOrders(deps, { userId, before, pageSize });
      return {
        orders: orders.map(toSummary),
        nextPageToken: next === undefined ? "" : encodePageToken(list, [next]),
      };
    },

    async listConfirmedOrders({ pageToken }) {
      const list = "order.confirmed";
      const after = pageToken === "" ? undefined : eventPositionOf(decodePageToken(list, pageToken));
      const { orders, next } = await deps.readConfirmed(after);
      return {
        orders: orders.map(({ orderId, skus }) => ({ orderId, skus: [...skus] })),
        nextPageToken: next === undefined ? "" : encodePageToken(list, [next.orderId, String(next.version)]),
      };
    },

    async rebuildHistory() {
      deps.requireOperator();
      const outcome = ({ rows, removed }: Rebuilt) => `${rows} orders, ${removed} removed`;
      const { rows, removed } = await deps.audited("RebuildHistory", "order_history", deps.rebuildHistory, {
        outcome,
      });
      return { orders: BigInt(rows), removed: BigInt(removed) };
    },
  };
  return (router) => router.service(OrderService, service);
}

function toSummary(order: OrderSummary): MessageInitShape<typeof OrderSummarySchema> {
  return { ...order, state: OrderState[order.state], placedAt: timestampFromDate(order.placedAt) };
}

/** Where the page before ended. @throws ConnectError INVALID_ARGUMENT if the token was put together by hand */
function positionOf([since = "", orderId = ""]: readonly string[]): InStatePosition {
  const position = { since: new Date(since), orderId };
  if (!Number.isNaN(position.since.getTime())) return position;
  throw pageTokenInvalid();
}

/** As positionOf, in the log. */
function eventPositionOf([orderId = "", version = ""]: readonly string[]): EventPosition {
  if (/^\d{1,9}$/.test(version)) return { orderId, version: Number(version) };
  throw pageTokenInvalid();
}

function pageTokenInvalid(): ConnectError {
  const description = "is not a token that a list has returned";
  return rpcError(Code.InvalidArgument, `page_token ${description}`, {
    reason: "PAGE_TOKEN_INVALID",
    violations: [{ field: "page_token", description }],
  });
}
