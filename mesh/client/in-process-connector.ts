import { clone, type DescMessage, type DescMethod, type Message, type MessageShape } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { inContext } from "../context/ambient-iterable.ts";
import { parseBaggage } from "../context/baggage.ts";
import { currentCall, type EndUser } from "../context/call-context.ts";
import { CancelSource } from "../context/cancel-source.ts";
import { resumed } from "../context/resumed.ts";
import type { TraceIds } from "../context/trace-ids.ts";
import { type Clock, systemClock } from "../contract/clock.ts";
import type { Criticality } from "../contract/criticality.ts";
import { cancellation, rpcError } from "../contract/errors.ts";
import type {
  CancellableCall,
  InProcessNetwork,
  InProcessServer,
  InProcessUnaryCall,
} from "../server/in-process-network.ts";
import { type Attempt, asConnectError, type Sent } from "./attempt.ts";
import { type Connector, notValid } from "./endpoint.ts";

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
  return {
    unary(attempt) {
      try {
        const sent = new SentCall(attempt, peer, clock);
        attempt.sent = sent;
        sent.received = server().unary(sent, attempt.call.input);
      } catch (error) {
        attempt.failed(asConnectError(error));
      }
    },
    isWell: async () => network.find(service) !== undefined,
    async stream(method, inputs, { signal, headers, trace, baggage, deadlineMs, endUser }) {
      const cancel = new CancelSource();
      const unlink = link(signal, cancel);
      const call = {
        method,
        headers: headers && new Headers(headers),
        trace,
        ...parseBaggage(baggage),
        deadlineMs,
        endUser,
        peer,
      };
      const trailer = new Headers();
      try {
        // The handler reads the messages in its own context; they are made in their maker's.
        const answer = server().stream(call, inContext(currentCall(), copies(method.input, inputs, cancel)), cancel);
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

/** An attempt as the called server sees it. */
class SentCall implements InProcessUnaryCall, Sent {
  readonly peer: string;
  received: CancellableCall | undefined = undefined;
  readonly #attempt: Attempt;
  readonly #clock: Clock;

  constructor(attempt: Attempt, peer: string, clock: Clock) {
    this.peer = peer;
    this.#attempt = attempt;
    this.#clock = clock;
  }
  cancel(_: Attempt, reason: ConnectError): void {
    this.received?.cancel(reason);
  }
  get method(): DescMethod {
    return this.#attempt.call.called.desc;
  }
  get deadlineMs(): number {
    return this.#attempt.deadlineMs;
  }
  get endUser(): EndUser | undefined {
    return this.#attempt.call.endUser;
  }
  get trace(): TraceIds | undefined {
    return this.#attempt.call.trace;
  }
  get attempt(): number {
    return this.#attempt.chainAttempt;
  }
  get criticality(): Criticality | undefined {
    return this.#attempt.call.criticality;
  }
  get headers(): Headers | undefined {
    const { headers } = this.#attempt.call;
    return headers && new Headers(headers);
  }
  answered(message: Message, header: Headers | undefined, trailer: Headers | undefined): void {
    const metadata =
      header || trailer ? { header: header ?? new Headers(), trailer: trailer ?? new Headers() } : undefined;
    this.#attempt.succeeded(message, metadata, this.#clock.monotonic());
  }
  failed(error: ConnectError): void {
    this.#attempt.failed(error);
  }
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
