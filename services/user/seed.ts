import { bucketOf, type Database, insertRows } from "@weft/mesh/data";
import { type Account, customerScopes } from "./domain.ts";

/** Opens accounts of customers that the shop has had for long. Those that are there stay as they are, and nobody hears of the others. */
export async function seedCustomers(database: Database, customers: readonly Omit<Account, "scopes">[]): Promise<void> {
  const target = {
    table: "users",
    columns: ["user_id", "bucket", "email", "display_name", "password_hash", "scopes", "registered_at"],
    ending: "ON DUPLICATE KEY UPDATE user_id = users.user_id",
  };
  const rows = customers.map(({ userId, email, displayName, passwordHash, registeredAt }) => [
    ...[userId, bucketOf(userId), email, displayName, passwordHash, customerScopes.join(" "), registeredAt],
  ]);
  await database.transaction("user.seedCustomers", (tx) => insertRows(tx, "user.seedCustomers", target, rows));
}
