import { bucketOf, type Database } from "@weft/mesh/data";
import type { AccountStore } from "./usecases.ts";

interface AccountRow {
  user_id: string;
  email: string;
  display_name: string;
  password_hash: string;
  registered_at: Date;
}

/** Accounts in the table `users`. */
export function createAccountStore(database: Database): AccountStore {
  return {
    async addAccount(tx, { userId, email, displayName, passwordHash, registeredAt }) {
      // A duplicate-key error would repeat the address, and the text of errors goes into spans and logs.
      await tx.execute(
        "user.addAccount",
        `INSERT INTO users (user_id, bucket, email, display_name, password_hash, registered_at)
         VALUES (?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE user_id = users.user_id`,
        [userId, bucketOf(userId), email, displayName, passwordHash, registeredAt],
      );
      const sql = "SELECT user_id FROM users WHERE email = ?";
      const [owner] = await tx.query<Pick<AccountRow, "user_id">>("user.findOwner", sql, [email]);
      return owner?.user_id === userId;
    },

    async findByEmail(email) {
      const [row] = await database.query<AccountRow>(
        "user.findByEmail",
        "SELECT user_id, email, display_name, password_hash, registered_at FROM users WHERE email = ?",
        [email],
      );
      return (
        row && {
          userId: row.user_id,
          email: row.email,
          displayName: row.display_name,
          passwordHash: row.password_hash,
          registeredAt: row.registered_at,
        }
      );
    },
  };
}
