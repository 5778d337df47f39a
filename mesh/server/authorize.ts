import { Code } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import type { MethodPolicy } from "../contract/policy.ts";

/** Refuses a call whose end user lacks a scope that the contract asks for. @throws ConnectError */
export function authorizeEndUser(policy: MethodPolicy, endUser: EndUser | undefined): void {
  if (policy.requiredScopes.length === 0) return;
  if (endUser === undefined) {
    throw rpcError(Code.Unauthenticated, "log in first and send the access token as Authorization: Bearer ...", {
      reason: "TOKEN_MISSING",
      domain: "weft",
    });
  }
  const missing = policy.requiredScopes.filter((scope) => !endUser.scopes.includes(scope));
  if (missing.length > 0) {
    throw rpcError(Code.PermissionDenied, `${policy.path} needs scope ${missing.join(", ")}`, {
      reason: "SCOPE_MISSING",
      domain: "weft",
      metadata: { scopes: missing.join(" ") },
    });
  }
}
