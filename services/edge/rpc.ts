import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import type { Logger } from "@weft/mesh/telemetry";
import { AccountService } from "../../gen/shop/api/v1/account_pb.ts";
import { CatalogService, type ProductSchema } from "../../gen/shop/api/v1/catalog_pb.ts";
import { type OrderSchema, OrderService, OrderState } from "../../gen/shop/api/v1/order_pb.ts";
import type { Product } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import { OrderState as InnerOrderState, type Order } from "../../gen/shop/order/v1/order_pb.ts";
import { type Clients, findAvailable } from "./clients.ts";
import { getProduct } from "./usecases.ts";

/** What the public API is made of. */
export interface EdgeDeps {
  clients: Clients;
  logger: Logger;
}

/** shop.api.v1 over the services behind the edge. */
export function edgeRoutes(deps: EdgeDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(AccountService, accountService(deps));
    router.service(CatalogService, catalogService(deps));
    router.service(OrderService, orderService(deps));
  };
}

function accountService({ clients }: EdgeDeps): ServiceImpl<typeof AccountService> {
  return {
    async register({ email, password, displayName }) {
      const { user } = await clients.users.register({ email, password, displayName });
      return { userId: user?.userId ?? "" };
    },

    async logIn({ email, password }) {
      const { accessToken, expiresIn, user } = await clients.users.logIn({ email, password });
      return { accessToken, ...(expiresIn && { expiresIn }), userId: user?.userId ?? "" };
    },
  };
}

function catalogService({ clients, logger }: EdgeDeps): ServiceImpl<typeof CatalogService> {
  const productDeps = {
    findProduct: (sku: string, signal: AbortSignal) => clients.catalog.getProduct({ sku }, { signal }),
    findAvailable: (sku: string, signal: AbortSignal) => findAvailable(clients.inventory, sku, signal),
    logger,
  };
  return {
    async listProducts({ pageSize, pageToken }) {
      const { products, nextPageToken } = await clients.catalog.listProducts({ pageSize, pageToken });
      return { products: products.map(toProduct), nextPageToken };
    },

    async getProduct({ sku }) {
      const { product, available } = await getProduct(productDeps, sku);
      return {
        ...(product.product && { product: toProduct(product.product) }),
        ...(available !== undefined && { available }),
      };
    },
  };
}

function orderService({ clients }: EdgeDeps): ServiceImpl<typeof OrderService> {
  return {
    async placeOrder({ idempotencyKey, lines, paymentMethod }) {
      const wanted = lines.map(({ sku, quantity }) => ({ sku, quantity }));
      return withOrder(await clients.orders.placeOrder({ idempotencyKey, lines: wanted, paymentMethod }));
    },

    async getOrder({ orderId }) {
      return withOrder(await clients.orders.getOrder({ orderId }));
    },

    // The call to the inner service ends with this one: the mesh passes cancellation on.
    async *watchOrder({ orderId }) {
      for await (const change of clients.orders.watchOrder({ orderId })) yield withOrder(change);
    },
  };
}

/** A product as the outside sees it: its version and the time of its change stay inside. */
export function toProduct(product: Product): MessageInitShape<typeof ProductSchema> {
  const { sku, name, description, price } = product;
  return { sku, name, description, ...(price && { price }) };
}

function withOrder({ order }: { order?: Order | undefined }): { order?: MessageInitShape<typeof OrderSchema> } {
  return order === undefined ? {} : { order: toOrder(order) };
}

/** An order as its customer sees it. */
export function toOrder(order: Order): MessageInitShape<typeof OrderSchema> {
  const { orderId, total, cancelReason, paymentInstructions } = order;
  return {
    orderId,
    state: toOrderState(order.state),
    lines: order.lines.map(({ sku, name, quantity, unitPrice }) => ({
      ...{ sku, name, quantity },
      ...(unitPrice && { unitPrice }),
    })),
    ...(total && { total }),
    cancelReason,
    paymentInstructions,
    history: order.history.map(({ state, enteredAt }) => ({
      state: toOrderState(state),
      ...(enteredAt && { enteredAt }),
    })),
  };
}

/** A state that the public API has no word for yet is UNSPECIFIED there. */
function toOrderState(state: InnerOrderState): OrderState {
  switch (state) {
    case InnerOrderState.PLACED:
      return OrderState.PLACED;
    case InnerOrderState.RESERVED:
      return OrderState.RESERVED;
    case InnerOrderState.AWAITING_PAYMENT:
      return OrderState.AWAITING_PAYMENT;
    case InnerOrderState.CONFIRMED:
      return OrderState.CONFIRMED;
    case InnerOrderState.PAID:
      return OrderState.PAID;
    case InnerOrderState.CANCELLED:
      return OrderState.CANCELLED;
    default:
      return OrderState.UNSPECIFIED;
  }
}
