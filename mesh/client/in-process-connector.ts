import { clone, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { inContext } from "../context/ambient-iterable.ts";
import { baggageHeader, formatBaggage, withMembers } from "../context/baggage.ts";
import { currentCall } from "../context/call-context.ts";
import { CancelSource } from "../context/cancel-source.ts";
import { resumed } from "../context/resumed.ts";
import type { TraceIds } from "../context/trace-ids.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import { cancellation, rpcError } from "../contract/errors.ts";
import type { InProcessNetwork, InProcessServer } from "../server/in-process-network.ts";
import { asConnectError } from "./attempt.ts";
import { type Connector, type HeadersInput, notValid, type UnaryWay } from "./endpoint.ts";
import { traceHeaders } from "./outgoing-call.ts";

/**
 * Calls a service of the same process: no socket, no encoding. Each side gets messages of its own, so that neither can
 * change what the other holds.
 *
 * @param peer SPIFFE id of the calling service
 */
export function createInProcessConnector(
  network: InProcessNetwork,
  service: string,
  peer: string,
  clock: Clock = systemClock,
): Connector {
  const server = (): InProcessServer => {
    const found = network.find(service);
    if (found === undefined) throw rpcError(Code.Unavailable, `${service} is not running in this process`);
    return found;
  };
  const way: UnaryWay = {
    send(attempt) {
      const { called, input, headers, trace, endUser, criticality } = attempt.call;
      const { desc: method } = called;
      const cancel = new CancelSource();
      attempt.sent = cancel;
      const call = {
        method,
        headers: withChain(headers, trace, formatBaggage(attempt.chainAttempt, criticality)),
        deadlineMs: attempt.deadlineMs,
        endUser,
        peer,
        cancel,
      };
      try {
        server()
          .unary(call, copy(method.input, input))
          .then(
            (answer) => attempt.succeeded(answer.message, answer, clock.monotonic()),
            (error: unknown) => attempt.failed(asConnectError(error)),
          );
      } catch (error) {
        attempt.failed(asConnectError(error));
      }
    },
    cancel({ sent }, reason) {
      if (sent instanceof CancelSource) sent.cancel(reason);
    },
  };
  return {
    way: () => way,
    async stream(method, inputs, { signal, headers, trace, baggage, deadlineMs, endUser }) {
      const cancel = new CancelSource();
      const unlink = link(signal, cancel);
      const call = { method, headers: withChain(headers, trace, baggage), deadlineMs, endUser, peer, cancel };
      const trailer = new Headers();
      try {
        // The handler reads the messages in its own context; they are made in their maker's.
        const answer = server().stream(call, inContext(currentCall(), copies(method.input, inputs, cancel)));
        const messages = answer.messages[Symbol.asyncIterator]() as AsyncIterator<MessageShape<typeof method.output>>;
        // As over gRPC, headers come with the first message.
        const first = await messages.next();
        const onEnd = (): void => {
          unlink();
          for (const [key, value] of answer.trailer()) trailer.append(key, value);
        };
        return { header: answer.header(), trailer, message: finished(resumed(first, messages), onEnd) };
      } catch (error) {
        unlink();
        throw error;
      }
    },
    close: () => undefined,
  };
}

function withChain(given: HeadersInput, trace: TraceIds | undefined, baggage: string | undefined): Headers {
  const headers = new Headers(given);
  const traced = traceHeaders(trace);
  for (let index = 0; index < traced.length; index += 2) headers.set(traced[index] ?? "", traced[index + 1] ?? "");
  if (baggage) headers.set(baggageHeader, withMembers(headers.get(baggageHeader), baggage));
  return headers;
}

/** Passes the caller's cancellation on; returns how to stop doing so. */
function link(signal: AbortSignal | undefined, cancel: CancelSource): () => void {
  if (signal === undefined) return () => undefined;
  const abort = (): void => cancel.cancel(cancellation(signal));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}

/** The receiver's own copies. If the messages fail, that is their maker's fault and cancels the call. */
async function* copies<Desc extends DescMessage>(
  schema: Desc,
  messages: AsyncIterable<MessageShape<Desc>>,
  cancel: CancelSource,
): AsyncIterable<MessageShape<Desc>> {
  try {
    for await (const message of messages) yield copy(schema, message);
  } catch (cause) {
    const failure = rpcError(Code.Canceled, "the messages of this call failed", { cause });
    cancel.cancel(failure);
    throw failure;
  }
}

async function* finished<T>(messages: AsyncIterable<T>, onEnd: () => void): AsyncIterable<T> {
  try {
    yield* messages;
  } finally {
    onEnd();
  }
}

function copy<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): MessageShape<Desc> {
  try {
    return clone(schema, message);
  } catch (cause) {
    throw notValid(schema, cause);
  }
}
