import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { decodePageToken, encodePageToken } from "@weft/mesh/data";
import type { Audited } from "@weft/mesh/telemetry";
import { AnalyticsService } from "../../gen/shop/analytics/v1/analytics_pb.ts";
import { invalid, type Score } from "./domain.ts";
import { getFunnel, listRevenue, listTopProducts, type ReadDeps, rebuildLeaderboard } from "./usecases.ts";

/** The list that page tokens of ListTopProducts belong to. */
const topList = "analytics.top_products";

/** AnalyticsService over the use cases; requireOperator throws PERMISSION_DENIED if the caller is no operator. */
export function analyticsRoutes(
  deps: ReadDeps & { readonly requireOperator: () => void; readonly audited: Audited },
): (router: ConnectRouter) => void {
  const service: ServiceImpl<typeof AnalyticsService> = {
    async getFunnel({ day }) {
      const events = await getFunnel(deps, day);
      const count = (kind: string) => BigInt(events.get(kind) ?? 0);
      return {
        productViews: count("ProductViewed"),
        cartUpdates: count("CartUpdated"),
        ordersPlaced: count("OrderPlaced"),
        ordersConfirmed: count("OrderConfirmed"),
        ordersPaid: count("OrderPaid"),
        ordersCancelled: count("OrderCancelled"),
      };
    },

    async listRevenue({ from, until, currencyCode }) {
      if (from === undefined) throw invalid("from", "is required");
      if (until === undefined) throw invalid("until", "is required");
      const range = { from: timestampDate(from), until: timestampDate(until), currencyCode };
      const minutes = await listRevenue(deps, range);
      return {
        minutes: minutes.map(({ minute, captured, refunded }) => ({
          minute: timestampFromDate(minute),
          captured: { currencyCode, minorUnits: captured },
          refunded: { currencyCode, minorUnits: refunded },
        })),
      };
    },

    async listTopProducts({ pageSize, pageToken }) {
      const after = pageToken === "" ? undefined : positionOf(decodePageToken(topList, pageToken));
      const { products, next, degraded } = await listTopProducts(deps, { pageSize, after });
      return {
        products: products.map(({ sku, quantity }) => ({ sku, quantity: BigInt(quantity) })),
        nextPageToken: next === undefined ? "" : encodePageToken(topList, [String(next.quantity), next.sku]),
        degraded,
      };
    },

    async rebuildLeaderboard() {
      deps.requireOperator();
      const outcome = (products: number) => `${products} products`;
      const rebuild = () => rebuildLeaderboard(deps);
      return { products: BigInt(await deps.audited("RebuildLeaderboard", "top_products", rebuild, { outcome })) };
    },
  };
  return (router) => router.service(AnalyticsService, service);
}

/** Where the page before ended. */
function positionOf([quantity = "", sku]: readonly string[]): Score {
  if (!/^[0-9]{1,15}$/.test(quantity) || sku === undefined) throw invalid("page_token", "is not a token of this list");
  return { quantity: Number(quantity), sku };
}
