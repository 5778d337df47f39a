import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport, type UnaryResponse } from "@connectrpc/connect";
import type { Clock, Random } from "../contract/clock.ts";
import { isRetryable, retryAfter } from "../resilience/retry.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Attempt, Endpoint, StreamAnswer, UnaryAnswer } from "./endpoint.ts";
import type { Observe, ObservedCall } from "./observe.ts";
import { type OutgoingCall, type PolicyOf, prepareCall, requireTimeLeft } from "./outgoing-call.ts";
import type { Target } from "./target.ts";

export interface TransportOptions {
  readonly target: Target;
  readonly policyOf: PolicyOf;
  readonly observe: Observe;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Creates Connect's Transport to one service. The client's way of a call: context, pick, send, observe, decide.
 */
export function createMeshTransport(options: TransportOptions): Transport {
  const { target, policyOf, observe, telemetry, clock, random } = options;

  const attemptOf = (call: OutgoingCall): Attempt => {
    const { policy, headers, signal, endUser } = call;
    const now = clock.now();
    const allowedMs = Math.min(policy.timeoutMs, policy.retry?.attemptTimeoutMs ?? Number.POSITIVE_INFINITY);
    const deadlineMs = Math.min(call.deadlineMs, now + allowedMs);
    const hurried = deadlineMs - now < allowedMs / 2;
    return { headers, trace: telemetry.inject(), deadlineMs, hurried, signal, endUser };
  };

  const sendUnary = async <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    input: MessageShape<I>,
    call: OutgoingCall,
    observed: ObservedCall,
  ): Promise<UnaryAnswer<O>> => {
    let last: Endpoint | undefined;
    const attempt = (): Promise<UnaryAnswer<O>> => {
      requireTimeLeft(call, clock);
      const { endpoint, breaker } = target.pick(call.policy.path, last);
      last = endpoint;
      const sent = attemptOf(call);
      return breaker.execute(() => endpoint.unary(method, input, sent), sent.hurried);
    };
    try {
      return await attempt();
    } catch (error) {
      const { retry, idempotent } = call.policy;
      if (!retry || !idempotent || !isRetryable(error)) throw error;
      const { deadlineMs, signal } = call;
      const onRetry = observed.retry;
      return await retryAfter(error, { policy: retry, deadlineMs, signal, clock, random, onRetry }, attempt);
    }
  };

  const openStream = async <I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    inputs: AsyncIterable<MessageShape<I>>,
    call: OutgoingCall,
    observed: ObservedCall,
  ): Promise<StreamAnswer<O>> => {
    requireTimeLeft(call, clock);
    const { endpoint, breaker } = target.pick(call.policy.path);
    const sent = attemptOf(call);
    const trial = breaker.begin();
    try {
      const answer = await endpoint.stream(method, inputs, sent);
      trial.opened();
      const onEnd = (error?: unknown): void => {
        trial.ended(error, sent.hurried);
        observed.end(error);
      };
      return { ...answer, message: ending(answer.message, onEnd) };
    } catch (error) {
      trial.ended(error, sent.hurried);
      throw error;
    }
  };

  return {
    async unary(method, signal, timeoutMs, header, input, _contextValues) {
      const call = prepareCall(policyOf(method), { signal, timeoutMs, headers: header }, clock);
      const observed = observe(call.policy.path, target.name);
      try {
        const request = create(method.input, input);
        const answer = await observed.run(() => sendUnary(method, request, call, observed));
        observed.end();
        return new AnsweredCall(method, answer);
      } catch (error) {
        throw failed(error, observed);
      }
    },
    async stream(method, signal, timeoutMs, header, input, _contextValues) {
      const call = prepareCall(policyOf(method), { signal, timeoutMs, headers: header }, clock);
      const observed = observe(call.policy.path, target.name);
      try {
        const inputs = created(method.input, input);
        const answer = await observed.run(() => openStream(method, inputs, call, observed));
        return { stream: true, service: method.parent, method, ...answer };
      } catch (error) {
        throw failed(error, observed);
      }
    },
  };
}

/** Whoever calls sees errors of one type, those of this process too. */
function failed(error: unknown, observed: ObservedCall): ConnectError {
  const visible = ConnectError.from(error, Code.Internal);
  observed.end(visible);
  return visible;
}

/** An answer as Connect takes it. Its Headers are made when they are asked for, which is seldom. */
class AnsweredCall<I extends DescMessage, O extends DescMessage> implements UnaryResponse<I, O> {
  readonly stream = false;
  readonly method: DescMethodUnary<I, O>;
  readonly message: MessageShape<O>;
  readonly #answer: UnaryAnswer<O>;

  constructor(method: DescMethodUnary<I, O>, answer: UnaryAnswer<O>) {
    this.method = method;
    this.message = answer.message;
    this.#answer = answer;
  }
  get service(): DescService {
    return this.method.parent;
  }
  get header(): Headers {
    return this.#answer.header;
  }
  get trailer(): Headers {
    return this.#answer.trailer;
  }
}

async function* created<Desc extends DescMessage>(
  schema: Desc,
  inputs: AsyncIterable<MessageInitShape<Desc>>,
): AsyncIterable<MessageShape<Desc>> {
  for await (const input of inputs) yield create(schema, input);
}

/** Tells of the end when the messages end, or when whoever reads them stops. */
async function* ending<T>(messages: AsyncIterable<T>, onEnd: (error?: unknown) => void): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    onEnd(error);
    throw error;
  } finally {
    onEnd();
  }
}
