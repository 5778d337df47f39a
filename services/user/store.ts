import { bucketOf, type Database, type Queryable } from "@weft/mesh/data";
import type { Account, Profile } from "./domain.ts";
import type { AccountStore, ProfileStore } from "./usecases.ts";

interface AccountRow {
  user_id: string;
  email: string;
  display_name: string;
  password_hash: string;
  scopes: string;
  registered_at: Date;
}

interface ProfileRow {
  user_id: string;
  email: string;
  display_name: string;
  phone: string;
  push_token: string;
  notify_by_email: number;
  notify_by_sms: number;
  notify_by_push: number;
  version: string;
}

const selectProfile = `SELECT user_id, email, display_name, phone, push_token, notify_by_email, notify_by_sms, notify_by_push, version
  FROM users WHERE user_id = ?`;

/** Accounts in the table `users`. */
export function createAccountStore(database: Database): AccountStore {
  return {
    async addAccount(tx, account) {
      await insertAccount(tx, account);
      const sql = "SELECT user_id FROM users WHERE email = ?";
      const [owner] = await tx.query<Pick<AccountRow, "user_id">>("user.findOwner", sql, [account.email]);
      return owner?.user_id === account.userId;
    },

    async findByEmail(email) {
      const [row] = await database.query<AccountRow>(
        "user.findByEmail",
        "SELECT user_id, email, display_name, password_hash, scopes, registered_at FROM users WHERE email = ?",
        [email],
      );
      return (
        row && {
          userId: row.user_id,
          email: row.email,
          displayName: row.display_name,
          passwordHash: row.password_hash,
          scopes: row.scopes.split(" "),
          registeredAt: row.registered_at,
        }
      );
    },
  };
}

/** Profiles in the same table: each account has one. */
export function createProfileStore(database: Database): ProfileStore {
  return {
    async findProfile(userId) {
      const [row] = await database.query<ProfileRow>("user.findProfile", selectProfile, [userId]);
      return row && toProfile(row);
    },

    async lockProfile(tx, userId) {
      const [row] = await tx.query<ProfileRow>("user.lockProfile", `${selectProfile} FOR UPDATE`, [userId]);
      return row && toProfile(row);
    },

    async saveProfile(tx, profile) {
      await tx.execute(
        "user.saveProfile",
        `UPDATE users SET display_name = ?, phone = ?, push_token = ?, notify_by_email = ?, notify_by_sms = ?,
           notify_by_push = ?, version = ?
         WHERE user_id = ?`,
        [
          ...[profile.displayName, profile.phone, profile.pushToken],
          ...[profile.notifyByEmail, profile.notifyBySms, profile.notifyByPush],
          ...[profile.version, profile.userId],
        ],
      );
    },
  };
}

/** An account that is there from the start. */
export interface AccountSeed {
  email: string;
  displayName: string;
  password: string;
  scopes: readonly string[];
}

/**
 * Opens the accounts whose addresses have none yet; those that are there stay as they are, so it may run at every start. The rest of the
 * shop does not hear of them.
 */
export async function seedAccounts(
  database: Database,
  accounts: readonly AccountSeed[],
  {
    hash,
    newUserId,
    now = new Date(),
  }: { hash: (password: string) => Promise<string>; newUserId: (email: string) => string; now?: Date },
): Promise<void> {
  const store = createAccountStore(database);
  for (const { password, ...account } of accounts) {
    if ((await store.findByEmail(account.email)) !== undefined) continue;
    const passwordHash = await hash(password);
    const userId = newUserId(account.email);
    await insertAccount(database, { ...account, userId, passwordHash, registeredAt: now });
  }
}

async function insertAccount(queryable: Queryable, account: Account): Promise<void> {
  const { userId, email, displayName, passwordHash, scopes, registeredAt } = account;
  // A duplicate-key error would repeat the address, and the text of errors goes into spans and logs.
  await queryable.execute(
    "user.addAccount",
    `INSERT INTO users (user_id, bucket, email, display_name, password_hash, scopes, registered_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE user_id = users.user_id`,
    [userId, bucketOf(userId), email, displayName, passwordHash, scopes.join(" "), registeredAt],
  );
}

function toProfile(row: ProfileRow): Profile {
  return {
    userId: row.user_id,
    email: row.email,
    displayName: row.display_name,
    phone: row.phone,
    pushToken: row.push_token,
    notifyByEmail: row.notify_by_email !== 0,
    notifyBySms: row.notify_by_sms !== 0,
    notifyByPush: row.notify_by_push !== 0,
    version: BigInt(row.version),
  };
}
