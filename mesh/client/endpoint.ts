import {
  type DescMessage,
  type DescMethodStreaming,
  type Message,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import type { TraceIds } from "../context/trace-ids.ts";
import type { Instance } from "../contract/discovery.ts";
import { ownBytes } from "../contract/encode-scratch.ts";
import { rpcError } from "../contract/errors.ts";
import type { Breaker } from "../resilience/breaker.ts";
import type { Attempt } from "./attempt.ts";
import { type Balanceable, BalancedEndpoint } from "./balanced-endpoint.ts";
import type { CalledMethod } from "./called-method.ts";

/** What Headers can be made from; undefined for none. */
export type HeadersInput = ConstructorParameters<typeof Headers>[0];

/** A streaming call, ready to leave. */
export interface StreamRequest {
  readonly headers: HeadersInput;
  readonly trace: TraceIds | undefined;
  /** Milliseconds since the epoch; Infinity if there is none. */
  readonly deadlineMs: number;
  /** It has less than half of the time that the contract gives. */
  readonly hurried: boolean;
  readonly signal: AbortSignal | undefined;
  readonly endUser: EndUser | undefined;
  /** What the chain of calls carries along, as formatBaggage() has it. */
  readonly baggage: string | undefined;
}

export interface StreamAnswer<O extends DescMessage> {
  readonly header: Headers;
  /** Filled when the messages have ended. */
  readonly trailer: Headers;
  readonly message: AsyncIterable<MessageShape<O>>;
}

/** The ways to one instance, a gRPC channel, tunnels, or a call within the process. */
export interface Connector {
  /** The instance has said that it wants no new calls. */
  readonly draining: boolean;
  /** Sends an attempt, and tells it of its end. Never throws: what cannot be sent fails. */
  unary(attempt: Attempt): void;
  /** Fails with ConnectError only. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    inputs: AsyncIterable<MessageShape<I>>,
    request: StreamRequest,
  ): Promise<StreamAnswer<O>>;
  /** Asks the instance itself, by no call of anybody's, whether it serves; silence for so long is a no. Never rejects. */
  isWell(timeoutMs: number): Promise<boolean>;
  close(): void;
}

/** One instance of a called service: the ways to it, what is under way to it, and a breaker for each method. */
export interface Endpoint extends Balanceable {
  /** As the resolver last described it; the address never changes. */
  instance: Instance;
  readonly connector: Connector;
  /** Attempts and streams under way. */
  readonly outstanding: number;
  /** The breaker of a method here. */
  breaker(method: CalledMethod): Breaker;
  /** The breakers that there are, by method. */
  breakers(): Iterable<readonly [path: string, breaker: Breaker]>;
  /** An attempt or a stream leaves. @param nowMs monotonic */
  began(nowMs: number): void;
  ended(): void;
  /** Takes no more calls; closes its connections when those under way have ended. */
  retire(): void;
  /** Closes its connections now. */
  close(): void;
}

/** Creates an endpoint. @param createBreaker makes the breaker of a method that is called here for the first time */
export function createEndpoint(
  instance: Instance,
  connector: Connector,
  createBreaker: (path: string) => Breaker,
): Endpoint {
  // By the method's index: a call looks one up for each endpoint that it considers.
  const breakers: Breaker[] = [];
  const paths: string[] = [];
  const balanced = new BalancedEndpoint();
  let outstanding = 0;
  let retired = false;
  return {
    instance,
    connector,
    balanced,
    get outstanding() {
      return outstanding;
    },
    breaker(method) {
      const known = breakers[method.index];
      if (known !== undefined) return known;
      const created = createBreaker(method.policy.path);
      breakers[method.index] = created;
      paths[method.index] = method.policy.path;
      return created;
    },
    breakers: () => breakers.flatMap((breaker, index) => [[paths[index] ?? "", breaker] as const]),
    began(nowMs) {
      outstanding += 1;
      balanced.load.begin(nowMs);
    },
    ended() {
      outstanding -= 1;
      if (retired && outstanding === 0) connector.close();
    },
    retire() {
      retired = true;
      if (outstanding === 0) connector.close();
    },
    close: () => connector.close(),
  };
}

/**
 * A request as it goes over a wire. Encoded before a library sees it, which would take our own broken message for an error of the server.
 *
 * @throws ConnectError INVALID_ARGUMENT if it is no valid message
 */
export function encodeMessage<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Buffer {
  try {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    throw notValid(schema, cause);
  }
}

/** The same for a unary call. @throws ConnectError INVALID_ARGUMENT if it is no valid message */
export function encodeRequest({ desc, encode }: CalledMethod, message: Message): Buffer {
  try {
    return ownBytes(encode(message));
  } catch (cause) {
    throw notValid(desc.input, cause);
  }
}

/** The error of a message that cannot be sent, which is its maker's fault and not the endpoint's. */
export function notValid(schema: DescMessage, cause: unknown): ConnectError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return rpcError(Code.InvalidArgument, `not a valid ${schema.typeName} message: ${reason}`, {
    reason: "MALFORMED_MESSAGE",
    domain: "weft",
    cause,
  });
}

/** The error of an answer that is no valid message. */
export function unreadable(cause: unknown): ConnectError {
  return rpcError(Code.Internal, "the answer could not be read", { cause });
}
