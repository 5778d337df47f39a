import { checkAll } from "./checks/check-all.ts";
import type { Opening } from "./checks/facts.ts";
import type { Finding } from "./checks/finding.ts";
import type { Operation } from "./client-log.ts";
import { readBooks } from "./read-books.ts";
import type { Truth } from "./truth.ts";

/** Reads everything and says what is not as it must be. To be asked when the shop is at rest, or had its time to come to rest. */
export async function checkBooks(truth: Truth, operations: readonly Operation[], opening: Opening): Promise<Finding[]> {
  return checkAll(await readBooks(truth), operations, opening);
}
