import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type CallContext, currentCall, deadlineExceeded, type EndUser } from "../context/call-context.ts";
import { endUserHeader } from "../context/end-user-header.ts";
import type { Clock } from "../contract/clock.ts";
import { cancellation } from "../contract/errors.ts";
import { idempotencyKeyHeader } from "../contract/idempotency-key.ts";
import { type MethodPolicy, readPolicies } from "../contract/policy.ts";
import type { HeadersInput } from "./endpoint.ts";

/** A call as the ambient context and the contract shape it, before its first attempt. */
export interface OutgoingCall {
  readonly policy: MethodPolicy;
  /** Milliseconds since the epoch: the smallest of the caller's rest, the policy's and the call's own. */
  readonly deadlineMs: number;
  /** Aborts when the ambient call or the call's own signal does. */
  readonly signal: AbortSignal | undefined;
  readonly headers: HeadersInput;
  readonly endUser: EndUser | undefined;
}

/** Finds a method's policy; descriptors are read once for each service. */
export type PolicyOf = (method: DescMethod) => MethodPolicy;

/** Creates a finder that reads each service's options on its first call. @throws ContractError then */
export function createPolicyReader(): PolicyOf {
  const known = new Map<DescService, ReadonlyMap<DescMethod, MethodPolicy>>();
  return (method) => {
    let policies = known.get(method.parent);
    if (policies === undefined) {
      policies = readPolicies(method.parent);
      known.set(method.parent, policies);
    }
    const policy = policies.get(method);
    if (policy === undefined) throw new Error(`${method.name} is not a method of ${method.parent.typeName}`);
    return policy;
  };
}

/** The first stage of a call: takes what is ambient; the call's own options can only make it stricter. */
export function prepareCall(
  policy: MethodPolicy,
  options: {
    readonly signal: AbortSignal | undefined;
    readonly timeoutMs: number | undefined;
    readonly headers: HeadersInput;
  },
  clock: Clock,
): OutgoingCall {
  const ambient = currentCall();
  if (ambient?.fallback && policy.fallback === undefined) {
    throw new Error(`${policy.path} is called with fallback "${ambient.fallback.name}", its contract declares none`);
  }
  const now = clock.now();
  const deadlineMs = Math.min(
    ambient?.deadlineMs ?? Number.POSITIVE_INFINITY,
    now + policy.timeoutMs,
    // As Connect has it, 0 is no timeout.
    options.timeoutMs !== undefined && options.timeoutMs > 0 ? now + options.timeoutMs : Number.POSITIVE_INFINITY,
  );
  return {
    policy,
    deadlineMs,
    signal: either(ambient?.signal, options.signal),
    headers: withKey(withoutEndUser(options.headers), keyToCarry(ambient, policy)),
    endUser: ambient?.endUser,
  };
}

/** Headers that a handler hands on may come from outside: on whose behalf it calls, only the context says. */
function withoutEndUser(given: HeadersInput): Headers | undefined {
  if (given === undefined) return undefined;
  const headers = new Headers(given);
  headers.delete(endUserHeader);
  return headers;
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

/** Refuses to send what nobody waits for. @throws ConnectError */
export function requireTimeLeft(call: OutgoingCall, clock: Clock): void {
  if (call.signal?.aborted) throw cancellation(call.signal);
  if (call.deadlineMs <= clock.now()) throw deadlineExceeded();
}

function either(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b);
}
