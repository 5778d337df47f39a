import { Code } from "@connectrpc/connect";
import { currentCall } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import { spiffeId } from "../security/spiffe.ts";

/**
 * Makes a check for handlers of what only operators may do: whether the ambient call comes from a peer with the operator's identity.
 *
 * @throws ConnectError, from the check: PERMISSION_DENIED (OPERATOR_ONLY) naming who may and who asks
 */
export function createOperatorCheck(trustDomain: string): () => void {
  const operator = spiffeId(trustDomain, "operator");
  return () => {
    const call = currentCall();
    if (call?.peer === operator) return;
    const message = `${call?.method ?? "this"} is for ${operator}; you are ${call?.peer ?? "nobody we know"}`;
    throw rpcError(Code.PermissionDenied, message, { reason: "OPERATOR_ONLY", domain: "weft" });
  };
}
