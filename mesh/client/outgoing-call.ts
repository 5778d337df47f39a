import { baggageHeader, withoutMembers } from "../context/baggage.ts";
import type { CallContext } from "../context/call-context.ts";
import { endUserHeader } from "../context/end-user-header.ts";
import { formatTraceparent, type TraceIds } from "../context/trace-ids.ts";
import type { Criticality } from "../contract/criticality.ts";
import { idempotencyKeyHeader } from "../contract/idempotency-key.ts";
import type { MethodPolicy } from "../contract/policy.ts";
import type { HeadersInput } from "./endpoint.ts";

/** The options of one call, as Connect hands them on; they can only make it stricter. */
export interface CallOptions {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly headers: HeadersInput;
}

/** Milliseconds since the epoch: the smallest of the caller's rest, the policy's and the call's own. */
export function deadlineOf(
  ambient: CallContext | undefined,
  policy: MethodPolicy,
  timeoutMs: number | undefined,
  nowMs: number,
): number {
  let deadlineMs = nowMs + policy.timeoutMs;
  if (ambient !== undefined && ambient.deadlineMs < deadlineMs) deadlineMs = ambient.deadlineMs;
  // As Connect has it, 0 is no timeout.
  if (timeoutMs !== undefined && timeoutMs > 0 && nowMs + timeoutMs < deadlineMs) deadlineMs = nowMs + timeoutMs;
  return deadlineMs;
}

/** @throws Error if it is made with a fallback that its contract does not declare */
export function requireDeclaredFallback(ambient: CallContext | undefined, policy: MethodPolicy): void {
  if (ambient?.fallback && policy.fallback === undefined) {
    throw new Error(`${policy.path} is called with fallback "${ambient.fallback.name}", its contract declares none`);
  }
}

/** The metadata that a call carries: those given and, where it is to be carried on, the key of the call being handled. */
export function headersOf(ambient: CallContext | undefined, policy: MethodPolicy, given: HeadersInput): HeadersInput {
  return withKey(withoutContext(given), keyToCarry(ambient, policy));
}

/** Headers that a handler hands on may come from outside: on whose behalf it calls, and in which chain, only the context says. */
function withoutContext(given: HeadersInput): Headers | undefined {
  if (given === undefined) return undefined;
  const headers = new Headers(given);
  headers.delete(endUserHeader);
  const baggage = headers.get(baggageHeader);
  if (baggage === null) return headers;
  const others = withoutMembers(baggage);
  if (others === undefined) headers.delete(baggageHeader);
  else headers.set(baggageHeader, others);
  return headers;
}

/** As the chain's first method has it; which may be this one. */
export function criticalityOf(ambient: CallContext | undefined, policy: MethodPolicy): Criticality | undefined {
  return ambient?.criticality ?? policy.criticality;
}

/** The key of the call being handled, where it is to be carried on and the method takes one. */
function keyToCarry(ambient: CallContext | undefined, policy: MethodPolicy): string | undefined {
  return ambient?.passesKeyOn && policy.idempotencyKey?.source === "metadata" ? ambient.idempotencyKey : undefined;
}

function withKey(given: Headers | undefined, key: string | undefined): Headers | undefined {
  if (key === undefined || given?.has(idempotencyKeyHeader)) return given;
  const headers = given ?? new Headers();
  headers.set(idempotencyKeyHeader, key);
  return headers;
}

/** Aborts when the ambient call or the call's own signal does. */
export function signalOf(ambient: CallContext | undefined, own: AbortSignal | undefined): AbortSignal | undefined {
  const caller = ambient?.signal;
  return caller && own ? AbortSignal.any([caller, own]) : (caller ?? own);
}

/** A place in a trace as W3C's headers, in turn name and value; empty for none. */
export function traceHeaders(trace: TraceIds | undefined): readonly string[] {
  if (trace === undefined) return [];
  const traceparent = formatTraceparent(trace);
  return trace.state === undefined
    ? ["traceparent", traceparent]
    : ["traceparent", traceparent, "tracestate", trace.state];
}
