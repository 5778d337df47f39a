import { type DirectPublisher, onRepeatableEvent, type RepeatableHandler } from "@weft/mesh/events";
import { ProductViewedSchema } from "../../gen/shop/api/v1/events_pb.ts";
import { PriceChangedSchema, ProductUpdatedSchema } from "../../gen/shop/catalog/v1/events_pb.ts";
import {
  StockLowSchema,
  StockReceivedSchema,
  StockReleasedSchema,
  StockReservedSchema,
} from "../../gen/shop/inventory/v1/events_pb.ts";
import type { LiveFeed } from "./live-feed.ts";
import type { EdgeDeps } from "./rpc.ts";

/** Tells the shop that somebody has looked at a product. May be lost. */
export function createProductViewed(publisher: Pick<DirectPublisher, "publish">): EdgeDeps["productViewed"] {
  return (sku, userId = "") => publisher.publish(ProductViewedSchema, { sku, userId });
}

/** What moves a product's price, name or stock. An order that is confirmed takes what it held: what can be ordered stays. */
export function liveHandlers(live: LiveFeed): RepeatableHandler[] {
  const stockMoved = ({ lines }: { lines: readonly { sku: string }[] }) =>
    live.stockChanged(lines.map(({ sku }) => sku));
  return [
    onRepeatableEvent(PriceChangedSchema, ({ sku }, { aggregateVersion }) =>
      live.productChanged(sku, aggregateVersion),
    ),
    onRepeatableEvent(ProductUpdatedSchema, ({ sku }, { aggregateVersion }) =>
      live.productChanged(sku, aggregateVersion),
    ),
    onRepeatableEvent(StockReservedSchema, stockMoved),
    onRepeatableEvent(StockReleasedSchema, stockMoved),
    onRepeatableEvent(StockReceivedSchema, stockMoved),
    onRepeatableEvent(StockLowSchema, ({ sku }) => live.stockChanged([sku])),
  ];
}
