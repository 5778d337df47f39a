import type { Projection } from "@weft/mesh/events";

const counts =
  "and a count does not say which events are in it, so one that comes late could be counted twice; restore a backup, or empty it and begin anew";

/** What events have counted here, and why nobody can count it again. */
export const countProjections: readonly Projection[] = [
  {
    name: "pairs",
    tables: [{ name: "pairs" }],
    notRebuildableBecause: `OrderConfirmed is published by order and kept in its outbox for seven days only, ${counts}`,
  },
  {
    name: "views",
    tables: [{ name: "views" }],
    notRebuildableBecause:
      "ProductViewed is published directly, without an outbox: once JetStream has dropped it nobody has it",
  },
];
