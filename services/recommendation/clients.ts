import { ConnectError, createClient } from "@connectrpc/connect";
import { type Mesh, withFallback } from "@weft/mesh/client";
import { runDetached } from "@weft/mesh/context";
import { rpcError } from "@weft/mesh/contract";
import { AnalyticsService } from "../../gen/shop/analytics/v1/analytics_pb.ts";
import { OrderService } from "../../gen/shop/order/v1/order_pb.ts";
import type { PairsProjectionDeps } from "./pairs-projection.ts";
import type { PopularOptions } from "./popular.ts";

/** A product page does not wait longer to hear what is popular. */
export const popularTimeoutMs = 200;
/** More than any page has, and a few to leave out. */
const popularLengthMax = 50;

/** What sells best, of analytics' leaderboard. */
export function createAskPopular(mesh: Pick<Mesh, "transport">): PopularOptions["ask"] {
  const client = createClient(AnalyticsService, mesh.transport("analytics"));
  const list = async () => {
    const { products } = await client.listTopProducts({ pageSize: popularLengthMax });
    return products.map(({ sku }) => sku);
  };
  // The answer is everybody's: it does not end with the call that happened to need it first.
  return () =>
    runDetached({ timeoutMs: popularTimeoutMs }, () => withFallback("popular-products", list, () => undefined));
}

/** The confirmed orders of order's log, page after page, the next one asked for when it is wanted. */
export function createConfirmedOrders(mesh: Pick<Mesh, "transport">): PairsProjectionDeps["confirmedOrders"] {
  const client = createClient(OrderService, mesh.transport("order"));
  const readPage = async (pageToken: string) => {
    try {
      return await client.listConfirmedOrders({ pageToken });
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      throw rpcError(code, `order does not tell which orders were confirmed: ${rawMessage}`, {
        reason: "ORDERS_UNREADABLE",
        cause: error,
      });
    }
  };
  return async function* () {
    for (let pageToken = ""; ; ) {
      const { orders, nextPageToken } = await readPage(pageToken);
      yield orders;
      if (nextPageToken === "") return;
      pageToken = nextPageToken;
    }
  };
}
