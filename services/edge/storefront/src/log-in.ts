import type { App } from "./page.ts";

/** Begins a session and takes the visitor's cart along. Rejects only if one could not be logged in. */
export async function logIn({ api, session, cart }: App, email: string, password: string): Promise<void> {
  const { accessToken, expiresIn, userId } = await api.accounts.logIn({ email, password });
  session.begin(accessToken, userId, Number(expiresIn?.seconds ?? 0n) * 1_000);
  // A cart that could not be merged now stays the visitor's and is merged the next time.
  await cart.merge().catch(() => undefined);
  await cart.load().catch(() => undefined);
}

/** Ends the session. What is in the customer's cart stays with the account. */
export function logOut({ session, cart }: App): void {
  session.end();
  cart.forget();
  cart.load().catch(() => undefined);
}
