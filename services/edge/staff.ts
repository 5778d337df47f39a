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

function warehouseService({ orders }: Clients): ServiceImpl<typeof WarehouseService> {
  return {
    async listParcels({ state, pageSize, pageToken }) {
      const page = await orders.listOrdersInState({ state: toInnerState(state), pageSize, pageToken });
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
