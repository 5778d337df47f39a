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
  /** The instance has said, of late, that it wants no new calls. */
  readonly draining: boolean;
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

/** Opens the ways to an instance. @param onDraining told when the instance wants no new calls, and when that is over */
export type Connect = (instance: Instance, onDraining: (draining: boolean) => void) => Connector;

/** Creates an endpoint. @param createBreaker makes the breaker of a method that is called here for the first time */
export function createEndpoint(
  instance: Instance,
  connect: Connect,
  createBreaker: (path: string) => Breaker,
): Endpoint {
  return new OpenEndpoint(instance, connect, createBreaker);
}

/** A class, since there are many of them: V8 makes a slow dictionary of every further object literal with a getter. */
class OpenEndpoint implements Endpoint {
  instance: Instance;
  readonly connector: Connector;
  readonly balanced = new BalancedEndpoint();
  draining = false;
  outstanding = 0;
  #retired = false;
  /** By the method's index: a call looks one up for each endpoint that it considers. */
  readonly #breakers: Breaker[] = [];
  readonly #paths: string[] = [];
  readonly #createBreaker: (path: string) => Breaker;

  constructor(instance: Instance, connect: Connect, createBreaker: (path: string) => Breaker) {
    this.instance = instance;
    this.#createBreaker = createBreaker;
    this.connector = connect(instance, (draining) => {
      this.draining = draining;
    });
  }
  breaker(method: CalledMethod): Breaker {
    return this.#breakers[method.index] ?? this.#addBreaker(method);
  }
  #addBreaker({ index, policy }: CalledMethod): Breaker {
    const created = this.#createBreaker(policy.path);
    this.#breakers[index] = created;
    this.#paths[index] = policy.path;
    return created;
  }
  breakers(): (readonly [path: string, breaker: Breaker])[] {
    return this.#breakers.flatMap((breaker, index) => [[this.#paths[index] ?? "", breaker] as const]);
  }
  began(nowMs: number): void {
    this.outstanding += 1;
    this.balanced.load.begin(nowMs);
  }
  ended(): void {
    this.outstanding -= 1;
    this.#closeIfDone();
  }
  retire(): void {
    this.#retired = true;
    this.#closeIfDone();
  }
  #closeIfDone(): void {
    if (this.#retired && this.outstanding === 0) this.connector.close();
  }
  close(): void {
    this.connector.close();
  }
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
