import type { Database } from "@weft/mesh/data";
import { countPairs, countSkus } from "./domain.ts";
import { addPairs, addViews } from "./store.ts";

/** Counts what was bought together and looked at long ago; nothing if something has been counted already. */
export async function seedCounts(
  database: Database,
  past: {
    /** The SKUs of each order. */
    readonly orders: readonly (readonly string[])[];
    /** An SKU for each look. */
    readonly views: readonly string[];
  },
): Promise<void> {
  await database.transaction("recommendation.seedCounts", async (tx) => {
    const counted = await tx.query("recommendation.findSeeded", "SELECT 1 FROM pairs LIMIT 1");
    if (counted.length > 0) return;
    await addPairs(tx, countPairs(past.orders));
    await addViews(tx, countSkus(past.views));
  });
}
