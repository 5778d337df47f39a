import type { Database } from "@weft/mesh/data";
import type { Fact } from "./domain.ts";
import { insertFacts } from "./store.ts";

/** Facts that one statement inserts. */
const batchSize = 2_000;

/** Keeps what was told long ago; each once. The roll-up adds it to the sums, as it does with what consumers insert. */
export async function seedFacts(database: Database, facts: readonly Fact[]): Promise<void> {
  for (let from = 0; from < facts.length; from += batchSize) {
    const batch = facts.slice(from, from + batchSize);
    await database.transaction("analytics.seedFacts", (tx) => insertFacts(tx, batch));
  }
}
