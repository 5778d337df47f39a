import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { currentCall, currentSignal, requireEndUser } from "@weft/mesh/context";
import { AccountService } from "../../gen/shop/api/v1/account_pb.ts";
import { CartService } from "../../gen/shop/api/v1/cart_pb.ts";
import { CatalogService } from "../../gen/shop/api/v1/catalog_pb.ts";
import { LiveService } from "../../gen/shop/api/v1/live_pb.ts";
import { OrderService } from "../../gen/shop/api/v1/order_pb.ts";
import type { Product } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import type { Clients } from "./clients.ts";
import type { LiveFeed } from "./live-feed.ts";
import { mapped, toCart, toOrder, toOrderSummary, toProduct, toProfile } from "./messages.ts";
import { staffRoutes } from "./staff.ts";
import { cartIdOf, getProduct, getProductPage, type ProductPageDeps } from "./usecases.ts";

/** What the public API is made of. */
export interface EdgeDeps {
  clients: Clients;
  pageParts: ProductPageDeps<Product>;
  live: LiveFeed;
  /** Tells the shop that somebody has looked at a product. Neither waits nor fails. */
  productViewed(sku: string, userId: string | undefined): void;
}

/** shop.api.v1 over the services behind the edge. */
export function edgeRoutes(deps: EdgeDeps): (router: ConnectRouter) => void {
  return (router) => {
    router.service(AccountService, accountService(deps));
    router.service(CatalogService, catalogService(deps));
    router.service(CartService, cartService(deps));
    router.service(OrderService, orderService(deps));
    router.service(LiveService, liveService(deps));
    staffRoutes(deps.clients)(router);
  };
}

function accountService({ clients: { users } }: EdgeDeps): ServiceImpl<typeof AccountService> {
  return {
    async register({ email, password, displayName }) {
      const { user } = await users.register({ email, password, displayName });
      return { userId: user?.userId ?? "" };
    },

    async logIn({ email, password }) {
      const { accessToken, expiresIn, user } = await users.logIn({ email, password });
      return { accessToken, ...(expiresIn && { expiresIn }), userId: user?.userId ?? "" };
    },

    async getProfile() {
      return mapped("profile", await users.getProfile({}), toProfile);
    },

    async updateProfile({ profile, updateMask }) {
      const paths = updateMask?.paths ?? [];
      const changes = { ...(profile && { profile: toProfile(profile) }), updateMask: { paths } };
      return mapped("profile", await users.updateProfile(changes), toProfile);
    },
  };
}

function catalogService({ clients, pageParts, productViewed }: EdgeDeps): ServiceImpl<typeof CatalogService> {
  const { catalog } = clients;
  return {
    async listProducts({ pageSize, pageToken, category }) {
      const { products, nextPageToken } = await catalog.listProducts({ pageSize, pageToken, category });
      return { products: products.map(toProduct), nextPageToken };
    },

    async getProduct({ sku }) {
      const { product, available } = await getProduct(pageParts, sku);
      return { ...(product && { product: toProduct(product) }), ...(available !== undefined && { available }) };
    },

    async searchProducts({ query, pageSize, pageToken }) {
      const { products, nextPageToken } = await catalog.searchProducts({ query, pageSize, pageToken });
      return { products: products.map(toProduct), nextPageToken };
    },

    async listCategories({ pageSize }) {
      const { categories, nextPageToken } = await catalog.listCategories({ pageSize });
      return { categories: categories.map(({ name, productCount }) => ({ name, productCount })), nextPageToken };
    },

    async getProductPage({ sku }) {
      const { product, available, recommendations, degraded } = await getProductPage(pageParts, sku);
      productViewed(sku, currentCall()?.endUser?.userId);
      return {
        ...(product && { product: toProduct(product) }),
        ...(available !== undefined && { available }),
        recommendations: recommendations.map(toProduct),
        degraded: [...degraded],
      };
    },
  };
}

function cartService({ clients: { carts } }: EdgeDeps): ServiceImpl<typeof CartService> {
  const ownCartId = (visitorCartId: string) => cartIdOf(currentCall()?.endUser?.userId, visitorCartId);
  return {
    async getCart({ visitorCartId, expectedVersion }) {
      return mapped("cart", await carts.getCart({ cartId: ownCartId(visitorCartId), expectedVersion }), toCart);
    },

    async setCartItem({ visitorCartId, sku, quantity }) {
      return mapped("cart", await carts.setItem({ cartId: ownCartId(visitorCartId), sku, quantity }), toCart);
    },

    async mergeCart(request) {
      const userCartId = cartIdOf(requireEndUser().userId, "");
      const visitorCartId = cartIdOf(undefined, request.visitorCartId);
      return mapped("cart", await carts.mergeCarts({ visitorCartId, userCartId }), toCart);
    },
  };
}

function orderService({ clients: { orders } }: EdgeDeps): ServiceImpl<typeof OrderService> {
  return {
    async placeOrder({ idempotencyKey, lines, paymentMethod }) {
      const wanted = lines.map(({ sku, quantity }) => ({ sku, quantity }));
      return mapped("order", await orders.placeOrder({ idempotencyKey, lines: wanted, paymentMethod }), toOrder);
    },

    async getOrder({ orderId }) {
      return mapped("order", await orders.getOrder({ orderId }), toOrder);
    },

    // The call to the inner service ends with this one: the mesh passes cancellation on.
    async *watchOrder({ orderId }) {
      for await (const change of orders.watchOrder({ orderId })) yield mapped("order", change, toOrder);
    },

    async listOrders({ pageSize, pageToken }) {
      const page = await orders.listOrders({ pageSize, pageToken });
      return { orders: page.orders.map(toOrderSummary), nextPageToken: page.nextPageToken };
    },

    async cancelOrder({ orderId }) {
      return mapped("order", await orders.cancelOrder({ orderId }), toOrder);
    },
  };
}

function liveService({ live }: EdgeDeps): ServiceImpl<typeof LiveService> {
  return {
    async *follow(requests) {
      const subscription = live.open();
      const signal = currentSignal();
      const leave = () => subscription.close();
      signal?.addEventListener("abort", leave, { once: true });
      // A caller who has said all may go on listening: the end of the requests ends nothing.
      const listen = async () => {
        for await (const { subscribe, unsubscribe } of requests) {
          subscription.unsubscribe(unsubscribe);
          subscription.subscribe(subscribe);
        }
      };
      listen().catch((error: unknown) => subscription.close(error));
      try {
        for (let state = await subscription.next(); state !== undefined; state = await subscription.next()) {
          const { sku, name, price, available } = state;
          yield { sku, name, ...(price && { price }), ...(available !== undefined && { available }) };
        }
      } finally {
        signal?.removeEventListener("abort", leave);
        subscription.close();
      }
    },
  };
}
