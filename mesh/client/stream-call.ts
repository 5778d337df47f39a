import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { ConnectError, StreamResponse } from "@connectrpc/connect";
import { formatBaggage } from "../context/baggage.ts";
import { currentCall, deadlineExceeded } from "../context/call-context.ts";
import { cancellation } from "../contract/errors.ts";
import { asConnectError } from "./attempt.ts";
import type { CalledMethod } from "./called-method.ts";
import { isDecided } from "./decide.ts";
import type { StreamAnswer, StreamRequest } from "./endpoint.ts";
import type { ObservedCall } from "./observe.ts";
import {
  type CallOptions,
  criticalityOf,
  deadlineOf,
  headersOf,
  requireDeclaredFallback,
  signalOf,
} from "./outgoing-call.ts";
import type { ClientPipeline } from "./unary-call.ts";

/** Makes a streaming call: the same way as a unary one, but it is never repeated. Fails with ConnectError only. */
export async function streamCall<I extends DescMessage, O extends DescMessage>(
  pipeline: ClientPipeline,
  called: CalledMethod,
  method: DescMethodStreaming<I, O>,
  options: CallOptions,
  messages: AsyncIterable<MessageInitShape<I>>,
): Promise<StreamResponse<I, O>> {
  const { observer, clock } = pipeline;
  const ambient = currentCall();
  requireDeclaredFallback(ambient, called.policy);
  const nowMs = clock.now();
  const deadlineMs = deadlineOf(ambient, called.policy, options.timeoutMs, nowMs);
  const observed: ObservedCall = { called, startedAtMs: clock.monotonic(), span: undefined, trace: undefined };
  observer.begin(observed, ambient);
  const request: StreamRequest = {
    deadlineMs,
    hurried: deadlineMs - nowMs < called.attemptTimeoutMs / 2,
    signal: signalOf(ambient, options.signal),
    headers: headersOf(ambient, called.policy, options.headers),
    trace: observed.trace,
    endUser: ambient?.endUser,
    baggage: formatBaggage(ambient?.attempt ?? 1, criticalityOf(ambient, called.policy)),
  };
  const end = once((error) => {
    if (error !== undefined && ambient !== undefined && isDecided(called.policy, error)) ambient.retriesSpent = true;
    observer.end(observed, clock.monotonic(), error);
  });
  const inputs = created(method.input, messages);
  try {
    const answer = await open(pipeline, called, method, inputs, request);
    return { stream: true, service: method.parent, method, ...answer, message: ending(answer.message, end) };
  } catch (error) {
    const visible = asConnectError(error);
    end(visible);
    throw visible;
  }
}

async function open<I extends DescMessage, O extends DescMessage>(
  { target, clock }: ClientPipeline,
  called: CalledMethod,
  method: DescMethodStreaming<I, O>,
  inputs: AsyncIterable<MessageShape<I>>,
  request: StreamRequest,
): Promise<StreamAnswer<O>> {
  await target.opening();
  if (request.signal?.aborted) throw cancellation(request.signal);
  if (request.deadlineMs <= clock.now()) throw deadlineExceeded();
  const stream = target.beginStream(called, clock.monotonic());
  const end = once((error) => stream.ended(error, request.hurried));
  try {
    const answer = await stream.endpoint.connector.stream(method, inputs, request);
    stream.opened();
    return { ...answer, message: ending(answer.message, end) };
  } catch (error) {
    end(asConnectError(error));
    throw error;
  }
}

async function* created<Desc extends DescMessage>(
  schema: Desc,
  inputs: AsyncIterable<MessageInitShape<Desc>>,
): AsyncIterable<MessageShape<Desc>> {
  for await (const input of inputs) yield create(schema, input);
}

type OnEnd = (error?: ConnectError) => void;

function once(onEnd: OnEnd): OnEnd {
  let told = false;
  return (error) => {
    if (!told) onEnd(error);
    told = true;
  };
}

/** Tells of the end when the messages end, or when whoever reads them stops. */
async function* ending<T>(messages: AsyncIterable<T>, onEnd: OnEnd): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    onEnd(asConnectError(error));
    throw error;
  } finally {
    onEnd();
  }
}
