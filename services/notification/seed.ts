import { type Database, insertRows } from "@weft/mesh/data";
import type { Contact } from "./domain.ts";

/** Remembers customers that the shop has had for long, and want to be written to by e-mail. Writes to none of them. */
export async function seedContacts(
  database: Database,
  contacts: readonly Pick<Contact, "userId" | "email">[],
): Promise<void> {
  const target = {
    table: "contacts",
    columns: ["user_id", "email", "version"],
    ending: "ON DUPLICATE KEY UPDATE user_id = contacts.user_id",
  };
  const rows = contacts.map(({ userId, email }) => [userId, email, 1]);
  await database.transaction("notification.seedContacts", (tx) =>
    insertRows(tx, "notification.seedContacts", target, rows),
  );
}
