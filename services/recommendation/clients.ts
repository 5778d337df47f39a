import { createClient } from "@connectrpc/connect";
import { type Mesh, withFallback } from "@weft/mesh/client";
import { runDetached } from "@weft/mesh/context";
import { AnalyticsService } from "../../gen/shop/analytics/v1/analytics_pb.ts";
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
