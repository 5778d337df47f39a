import type { EndUser } from "./call-context.ts";

/**
 * Carries the verified end user from service to service. Believed only on connections whose peer has a certificate of
 * the mesh; the public edge never reads it.
 */
export const endUserHeader = "weft-end-user";

/** "user=usr_...&scope=customer" */
export function formatEndUser(endUser: EndUser): string {
  return new URLSearchParams({ user: endUser.userId, scope: endUser.scopes.join(" ") }).toString();
}

/** The end user in a header's value; undefined if there is none. */
export function parseEndUser(value: string | null): EndUser | undefined {
  if (value === null) return undefined;
  const fields = new URLSearchParams(value);
  const userId = fields.get("user");
  if (!userId) return undefined;
  return { userId, scopes: (fields.get("scope") ?? "").split(" ").filter((scope) => scope !== "") };
}
