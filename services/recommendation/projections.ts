import type { Projection } from "@weft/mesh/events";

/** How often each product was looked at: nobody can count that again. */
export const viewsProjection: Projection = {
  name: "views",
  tables: [{ name: "views" }],
  notRebuildableBecause:
    "ProductViewed is published directly, without an outbox: once JetStream has dropped it nobody has it",
};
