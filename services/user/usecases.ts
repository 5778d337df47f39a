import type { Clock } from "@weft/mesh/contract";
import type { Database, Transaction } from "@weft/mesh/data";
import { type Account, badCredentials, emailTaken, normalizeEmail, type User } from "./domain.ts";

/** Accounts as they are stored. */
export interface AccountStore {
  /** False, and nothing done, if the address has an account. */
  addAccount(tx: Transaction, account: Account): Promise<boolean>;
  findByEmail(email: string): Promise<Account | undefined>;
}

/** Hashes and checks passwords; slow on purpose. RESOURCE_EXHAUSTED when too many wait. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** Whether the password is the hash's. Without a hash: false, after the same work. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
}

/** What proves who a customer is, and how others check it. */
export interface AccessTokens {
  issue(userId: string): Promise<{ token: string; expiresInMs: number }>;
  /** The public keys as JSON text (RFC 7517). */
  readonly jwksJson: string;
}

/** What the rest of the shop hears of. */
export interface UserEvents {
  userRegistered(tx: Transaction, user: User): Promise<void>;
}

export interface UserDeps {
  clock: Clock;
  database: Pick<Database, "transaction">;
  accounts: AccountStore;
  passwords: Passwords;
  tokens: AccessTokens;
  events: UserEvents;
  /** Makes the id of a new account with that (normalized) address. */
  newUserId(email: string): string;
}

/** Opens an account and tells of it. ALREADY_EXISTS (EMAIL_TAKEN) if the address has one. */
export async function register(
  deps: Omit<UserDeps, "tokens">,
  input: { email: string; password: string; displayName: string },
): Promise<User> {
  const email = normalizeEmail(input.email);
  const passwordHash = await deps.passwords.hash(input.password);
  const user: User = {
    userId: deps.newUserId(email),
    email,
    displayName: input.displayName,
    registeredAt: new Date(deps.clock.now()),
  };
  await deps.database.transaction("user.register", async (tx) => {
    if (!(await deps.accounts.addAccount(tx, { ...user, passwordHash }))) throw emailTaken();
    await deps.events.userRegistered(tx, user);
  });
  return user;
}

/** Exchanges address and password for an access token. UNAUTHENTICATED (BAD_CREDENTIALS), after the same work, if either is wrong. */
export async function logIn(
  { accounts, passwords, tokens }: Pick<UserDeps, "accounts" | "passwords" | "tokens">,
  { email, password }: { email: string; password: string },
): Promise<{ user: User; token: string; expiresInMs: number }> {
  const account = await accounts.findByEmail(normalizeEmail(email));
  const isRight = await passwords.verify(account?.passwordHash, password);
  if (account === undefined || !isRight) throw badCredentials();
  const { passwordHash: _, ...user } = account;
  return { user, ...(await tokens.issue(user.userId)) };
}
