import { type Outbox, onRepeatableEvent, type RepeatableHandler } from "@weft/mesh/events";
import { PriceChangedSchema, ProductUpdatedSchema } from "../../gen/shop/catalog/v1/events_pb.ts";
import type { CatalogEvents, ProductForgetting } from "./usecases.ts";

/** Tells the rest of the shop through the outbox, in the transaction of the change itself. */
export function createCatalogEvents(outbox: Pick<Outbox, "append">): CatalogEvents {
  return {
    async priceChanged(tx, before, after) {
      const message = { sku: after.sku, oldPrice: before.price, newPrice: after.price };
      await outbox.append(tx, PriceChangedSchema, message, { version: after.version });
    },
    async productUpdated(tx, { sku, name, description, category, version }) {
      await outbox.append(tx, ProductUpdatedSchema, { sku, name, description, category }, { version });
    },
  };
}

/** Every process of the catalog's hears what any of them has changed. */
export function cacheHandlers(forget: ProductForgetting): RepeatableHandler[] {
  return [
    onRepeatableEvent(PriceChangedSchema, ({ sku }) => forget.price(sku)),
    onRepeatableEvent(ProductUpdatedSchema, ({ sku }) => forget.texts(sku)),
  ];
}
