import { Code, ConnectError } from "@connectrpc/connect";
import { errorReason, rpcError } from "../contract/errors.ts";

/** Somebody else has claimed the row since: whatever this run has found out, it may not write it. */
export function leaseLost(worker: string, key: string): ConnectError {
  const message = `${worker}: the lease of ${key} is another instance's now`;
  return rpcError(Code.Aborted, message, { reason: "LEASE_LOST", domain: "weft" });
}

/** Whether an error says so. */
export function isLeaseLost(error: unknown): boolean {
  return error instanceof ConnectError && errorReason(error) === "LEASE_LOST";
}
