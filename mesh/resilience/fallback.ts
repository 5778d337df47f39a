import { Code, ConnectError } from "@connectrpc/connect";
import { trace } from "@opentelemetry/api";
import { currentCall, currentOtelContext, type FallbackScope, runAs } from "../context/call-context.ts";
import { meaningOf } from "../contract/errors.ts";
import { statusName } from "../contract/grpc-status.ts";

/**
 * Declared degradation: makes a call, and does without its answer when the called service is away, ill, too slow, loaded
 * or behind an open breaker. Any other error is the caller's or the domain's fault and is thrown.
 *
 * Each method called must declare a `fallback` in its contract, or the call fails: whoever owns it should know that
 * somebody does without. Counted as `weft.client.fallbacks`, and an event of the ambient span.
 *
 * @param name what is degraded: "stock"
 * @param call should have a limit of its own that leaves time for the fallback
 * @param fallback is told why
 */
export async function withFallback<T>(
  name: string,
  call: () => Promise<T>,
  fallback: (error: ConnectError) => T | Promise<T>,
): Promise<T> {
  const scope: FallbackScope = { name };
  try {
    return await runAs({ fallback: scope }, call);
  } catch (error) {
    if (!(error instanceof ConnectError) || !isDegradable(error.code) || isNobodyWaiting()) throw error;
    scope.count?.();
    trace
      .getSpan(currentOtelContext())
      ?.addEvent("fallback", { "weft.fallback": name, "rpc.status_code": statusName(error.code) });
    return await fallback(error);
  }
}

/** The endpoint is ill or loaded: not what the caller asked for is wrong, but that it was asked now. */
function isDegradable(code: Code): boolean {
  return meaningOf(code).endpointFailure || code === Code.ResourceExhausted;
}

function isNobodyWaiting(): boolean {
  return currentCall()?.signal.aborted ?? false;
}
