import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Transport, UnaryResponse } from "@connectrpc/connect";
import type { Clock, Random } from "../contract/clock.ts";
import { isRetryable, retryAfter } from "../resilience/retry.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Attempt, Endpoint, UnaryAnswer } from "./endpoint.ts";
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
    const { headers, signal, endUser } = call;
    const limit = clock.now() + (call.policy.retry?.attemptTimeoutMs ?? Number.POSITIVE_INFINITY);
    return { headers, trace: telemetry.inject(), deadlineMs: Math.min(call.deadlineMs, limit), signal, endUser };
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
      return breaker.execute(() => endpoint.unary(method, input, attemptOf(call)));
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
        observed.end(error);
        throw error;
      }
    },
    async stream(method, signal, timeoutMs, header, input, _contextValues) {
      const call = prepareCall(policyOf(method), { signal, timeoutMs, headers: header }, clock);
      const observed = observe(call.policy.path, target.name);
      try {
        const answer = await observed.run(async () => {
          requireTimeLeft(call, clock);
          const { endpoint, breaker } = target.pick(call.policy.path);
          return await breaker.execute(() => endpoint.stream(method, created(method.input, input), attemptOf(call)));
        });
        const message = ending(answer.message, observed);
        return { stream: true, service: method.parent, method, ...answer, message };
      } catch (error) {
        observed.end(error);
        throw error;
      }
    },
  };
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

/** Records the outcome when the messages end, or when whoever reads them stops. */
async function* ending<T>(messages: AsyncIterable<T>, observed: ObservedCall): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    observed.end(error);
    throw error;
  } finally {
    observed.end();
  }
}
