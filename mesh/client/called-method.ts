import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type Clock, systemClock } from "../contract/clock.ts";
import { createMessageDecoder, type DecodeMessage } from "../contract/decode-message.ts";
import { createMessageEncoder, type EncodeMessage } from "../contract/encode-message.ts";
import { EncodeScratch } from "../contract/encode-scratch.ts";
import { type MethodPolicy, readPolicies } from "../contract/policy.ts";
import type { CallDurations } from "../telemetry/call-durations.ts";
import { createHedging, type Hedging } from "./hedging.ts";

/** A method of a called service, with what every call to it needs. One object for all calls of a target. */
export interface CalledMethod {
  readonly desc: DescMethod;
  readonly policy: MethodPolicy;
  /** Its place in lists by method, from 0. */
  readonly index: number;
  /** Encodes a request; the bytes are good until the next one is encoded. */
  readonly encode: EncodeMessage;
  /** Decodes an answer. @throws Error if it is no valid message */
  readonly decode: DecodeMessage;
  /** Longest that one attempt may take, the call's own deadline apart. */
  readonly attemptTimeoutMs: number;
  /** Undefined if the contract does not allow it. */
  readonly hedging: Hedging | undefined;
  /** How long the calls took, retries included. */
  readonly durations: CallDurations;
  /** When an answer last came in parts, monotonic: a method that gives such answers is better off on gRPC calls of its own. */
  largeAnswerAtMs: number;
}

/** Finds what is known of a method; descriptors are read once for each service. */
export type CalledMethods = (method: DescMethod) => CalledMethod;

/** Creates a finder that reads each service's options on its first call. @throws ContractError then */
export function createCalledMethods(
  durationsOf: (path: string) => CallDurations,
  clock: Clock = systemClock,
): CalledMethods {
  const known = new Map<DescMethod, CalledMethod>();
  const scratch = new EncodeScratch();
  const read = (service: DescService): void => {
    for (const [desc, policy] of readPolicies(service)) {
      const attemptTimeoutMs = Math.min(policy.timeoutMs, policy.retry?.attemptTimeoutMs ?? Number.POSITIVE_INFINITY);
      const hedging = policy.hedging ? createHedging(clock) : undefined;
      const durations = durationsOf(policy.path);
      const largeAnswerAtMs = Number.NEGATIVE_INFINITY;
      const index = known.size;
      const encode = createMessageEncoder(desc.input, scratch);
      const decode = createMessageDecoder(desc.output);
      known.set(desc, { desc, policy, index, encode, decode, attemptTimeoutMs, hedging, durations, largeAnswerAtMs });
    }
  };
  return (method) => {
    const found = known.get(method);
    if (found !== undefined) return found;
    read(method.parent);
    const added = known.get(method);
    if (added === undefined) throw new Error(`${method.name} is not a method of ${method.parent.typeName}`);
    return added;
  };
}
