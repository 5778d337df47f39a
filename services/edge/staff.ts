import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { AssortmentService } from "../../gen/shop/api/v1/assortment_pb.ts";
import { ReportService } from "../../gen/shop/api/v1/report_pb.ts";
import { WarehouseService } from "../../gen/shop/api/v1/warehouse_pb.ts";
import { type Clients, findNames } from "./clients.ts";
import { mapped, toInnerState, toParcel, toProduct } from "./messages.ts";
import { picturePath } from "./picture-pages.ts";
import { listTopProducts } from "./usecases.ts";

/** The part of shop.api.v1 that is for the shop's own people. Who may call what is in the contract. */
export function staffRoutes(clients: Clients): (router: ConnectRouter) => void {
  return (router) => {
    router.service(WarehouseService, warehouseService(clients));
    router.service(ReportService, reportService(clients));
    router.service(AssortmentService, assortmentService(clients));
  };
}

function warehouseService({ orders, inventory }: Clients): ServiceImpl<typeof WarehouseService> {
  return {
    async listParcels({ state, newestFirst, pageSize, pageToken }) {
      const page = await orders.listOrdersInState({ state: toInnerState(state), newestFirst, pageSize, pageToken });
      return { parcels: page.orders.map(toParcel), nextPageToken: page.nextPageToken };
    },

    async shipOrder({ orderId, trackingNumber }) {
      const { order } = await orders.shipOrder({ orderId, trackingNumber });
      return mapped("parcel", { parcel: order }, toParcel);
    },

    async deliverOrder({ orderId }) {
      const { order } = await orders.deliverOrder({ orderId });
      return mapped("parcel", { parcel: order }, toParcel);
    },

    // Message by message, as fast as inventory takes them in: nothing of a delivery gathers here.
    async importStock(requests) {
      const batches = passedOn(requests, ({ importId, firstLine, lines }) => ({
        ...{ importId, firstLine },
        lines: lines.map(({ sku, quantity }) => ({ sku, quantity })),
      }));
      const { accepted, rejectedCount, rejected } = await batches.into((stream) => inventory.importStock(stream));
      return {
        ...{ accepted, rejectedCount },
        rejected: rejected.map(({ line, sku, reason }) => ({ line, sku, reason })),
      };
    },
  };
}

/**
 * A caller's stream on its way to a service. If it breaks here, by a message that the contract forbids or by a caller who leaves, that is what the
 * call fails with: the service only knows that it was cancelled.
 */
function passedOn<Outer, Inner>(messages: AsyncIterable<Outer>, toInner: (message: Outer) => Inner) {
  let broken: { readonly error: unknown } | undefined;
  async function* stream() {
    try {
      for await (const message of messages) yield toInner(message);
    } catch (error) {
      broken = { error };
      throw error;
    }
  }
  return {
    async into<Answer>(call: (stream: AsyncIterable<Inner>) => Promise<Answer>): Promise<Answer> {
      try {
        return await call(stream());
      } catch (error) {
        throw broken === undefined ? error : broken.error;
      }
    },
  };
}

function reportService({ analytics, catalog }: Clients): ServiceImpl<typeof ReportService> {
  const deps = {
    listTop: (page: { pageSize: number; pageToken: string }) => analytics.listTopProducts(page),
    findNames: (skus: readonly string[]) => findNames(catalog, skus),
  };
  return {
    async getFunnel({ day }) {
      const { productViews, cartUpdates, ordersPlaced, ordersConfirmed, ordersPaid, ordersCancelled } =
        await analytics.getFunnel({ day });
      return { productViews, cartUpdates, ordersPlaced, ordersConfirmed, ordersPaid, ordersCancelled };
    },

    async listRevenue({ from, until, currencyCode }) {
      const range = { ...(from && { from }), ...(until && { until }), currencyCode };
      const { minutes } = await analytics.listRevenue(range);
      return {
        minutes: minutes.map(({ minute, captured, refunded }) => ({
          ...(minute && { minute }),
          ...(captured && { captured }),
          ...(refunded && { refunded }),
        })),
      };
    },

    async listTopProducts({ pageSize, pageToken }) {
      const { products, nextPageToken, degraded } = await listTopProducts(deps, { pageSize, pageToken });
      return {
        products: products.map(({ sku, name, quantity }) => ({ sku, name, quantity, picturePath: picturePath(sku) })),
        nextPageToken,
        degraded: [...degraded],
      };
    },
  };
}

function assortmentService({ catalog }: Clients): ServiceImpl<typeof AssortmentService> {
  return {
    async updateProduct({ sku, name, description, category }) {
      const changes = {
        ...(name !== undefined && { name }),
        ...(description !== undefined && { description }),
        ...(category !== undefined && { category }),
      };
      return mapped("product", await catalog.updateProduct({ sku, ...changes }), toProduct);
    },

    async changePrice({ sku, price }) {
      return mapped("product", await catalog.changePrice({ sku, ...(price && { price }) }), toProduct);
    },
  };
}
