import type { Clock } from "@weft/mesh/contract";
import type { Database, Transact, Transaction } from "@weft/mesh/data";
import {
  type Account,
  badCredentials,
  customerScopes,
  emailTaken,
  maskedFields,
  normalizeEmail,
  type Profile,
  type ProfileFields,
  profileNotFound,
  type User,
  withFields,
} from "./domain.ts";

/** Accounts as they are stored. */
export interface AccountStore {
  /** False, and nothing done, if the address has an account. */
  addAccount(tx: Transaction, account: Account): Promise<boolean>;
  findByEmail(email: string): Promise<Account | undefined>;
}

/** Profiles to be shown. */
export interface ProfileReads {
  findProfile(userId: string): Promise<Profile | undefined>;
}

/** Profiles as they are stored. */
export interface ProfileStore extends ProfileReads {
  /** The same, locked until the transaction ends. */
  lockProfile(tx: Transaction, userId: string): Promise<Profile | undefined>;
  saveProfile(tx: Transaction, profile: Profile): Promise<void>;
}

/** Hashes and checks passwords; slow on purpose. RESOURCE_EXHAUSTED when too many wait. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** Whether the password is the hash's. Without a hash: false, after the same work. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
}

/** What proves who a customer is, and how others check it. */
export interface AccessTokens {
  issue(userId: string, scopes: readonly string[]): Promise<{ token: string; expiresInMs: number }>;
  /** The public keys as JSON text (RFC 7517). */
  readonly jwksJson: string;
}

/** What the rest of the shop hears of. */
export interface UserEvents {
  userRegistered(tx: Transaction, user: User): Promise<void>;
  profileUpdated(tx: Transaction, profile: Profile): Promise<void>;
}

export interface UserDeps {
  clock: Clock;
  database: Pick<Database, "transaction">;
  accounts: AccountStore;
  profiles: ProfileStore;
  /** What answers are read from: may be from a moment ago. */
  profileReads: ProfileReads;
  /** A profile has changed, and that is committed: what is read after this is the new. Never throws. */
  profileChanged: (userId: string) => Promise<void>;
  passwords: Passwords;
  tokens: AccessTokens;
  events: UserEvents;
  /** Makes the id of a new account with that (normalized) address. */
  newUserId(email: string): string;
}

/**
 * Opens an account and tells of it. ALREADY_EXISTS (EMAIL_TAKEN) if the address has one.
 *
 * @param transact runs the transaction, once for each idempotency key
 */
export async function register(
  deps: Pick<UserDeps, "clock" | "database" | "accounts" | "passwords" | "events" | "newUserId">,
  input: { email: string; password: string; displayName: string },
  transact: Transact<User> = deps.database.transaction,
): Promise<User> {
  const email = normalizeEmail(input.email);
  const passwordHash = await deps.passwords.hash(input.password);
  const user: User = {
    userId: deps.newUserId(email),
    email,
    displayName: input.displayName,
    registeredAt: new Date(deps.clock.now()),
  };
  return await transact("user.register", async (tx) => {
    if (!(await deps.accounts.addAccount(tx, { ...user, passwordHash, scopes: customerScopes }))) throw emailTaken();
    await deps.events.userRegistered(tx, user);
    return user;
  });
}

/** Whether a password is that of the account that a registration has opened. */
export async function isPasswordOf(
  { accounts, passwords }: Pick<UserDeps, "accounts" | "passwords">,
  { email }: User,
  password: string,
): Promise<boolean> {
  return await passwords.verify((await accounts.findByEmail(email))?.passwordHash, password);
}

/** Exchanges address and password for an access token. UNAUTHENTICATED (BAD_CREDENTIALS), after the same work, if either is wrong. */
export async function logIn(
  { accounts, passwords, tokens }: Pick<UserDeps, "accounts" | "passwords" | "tokens">,
  { email, password }: { email: string; password: string },
): Promise<{ user: User; token: string; expiresInMs: number }> {
  const account = await accounts.findByEmail(normalizeEmail(email));
  const isRight = await passwords.verify(account?.passwordHash, password);
  if (account === undefined || !isRight) throw badCredentials();
  const { passwordHash: _, scopes, ...user } = account;
  return { user, ...(await tokens.issue(user.userId, scopes)) };
}

/** A customer's own profile. NOT_FOUND (PROFILE_NOT_FOUND) if the account is gone. */
export async function getProfile({ profileReads }: Pick<UserDeps, "profileReads">, userId: string): Promise<Profile> {
  const profile = await profileReads.findProfile(userId);
  if (profile === undefined) throw profileNotFound();
  return profile;
}

/**
 * Changes the fields of a profile that the mask names, and tells of it. Two at once that change different fields both have their way. What it
 * has already is no change and no event. INVALID_ARGUMENT for a mask that names something else or nothing.
 *
 * @param transact runs the transaction, once for each idempotency key
 */
export async function updateProfile(
  { database, profiles, profileChanged, events }: Pick<UserDeps, "database" | "profiles" | "profileChanged" | "events">,
  { userId, fields, paths }: { userId: string; fields: ProfileFields; paths: readonly string[] },
  transact: Transact<Profile> = database.transaction,
): Promise<Profile> {
  const changes = maskedFields(paths, fields);
  const updated = await transact("user.updateProfile", async (tx) => {
    const before = await profiles.lockProfile(tx, userId);
    if (before === undefined) throw profileNotFound();
    const after = withFields(before, changes);
    if (after === before) return before;
    await profiles.saveProfile(tx, after);
    await events.profileUpdated(tx, after);
    return after;
  });
  // Also if there was nothing to change: this may be the repetition of a call that was cut off after its commit.
  await profileChanged(userId);
  return updated;
}
