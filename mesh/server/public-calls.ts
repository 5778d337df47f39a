import { type Message, toBinary } from "@bufbuild/protobuf";
import type { ConnectError, Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import type { Clock } from "../contract/clock.ts";
import { cancellation } from "../contract/errors.ts";
import { IncomingCall, type Input, UnaryCall } from "./incoming-call.ts";
import { type PublicCall, publicCallKey } from "./protocol-errors.ts";
import { requestDeadlineMs } from "./request-deadline.ts";
import type { Route } from "./routes.ts";
import type { ServedRoute } from "./served-route.ts";

export type Next = Parameters<Interceptor>[0];
type Response = Awaited<ReturnType<Next>>;

/** Verifies the caller's token; undefined if there is none. */
export type Authenticate = (headers: Headers) => Promise<EndUser | undefined>;

/** A unary call from outside. Its handler is run by Connect. */
export class PublicUnaryCall extends UnaryCall {
  readonly answered: Promise<Response>;
  readonly #request: UnaryRequest;
  readonly #next: Next;
  readonly #facts: PublicFacts;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: ConnectError) => void;

  constructor(served: ServedRoute, clock: Clock, request: UnaryRequest, next: Next, authenticate: Authenticate) {
    const nowMs = clock.now();
    super(served, nowMs, clock.monotonic(), requestDeadlineMs(request.header, nowMs), undefined);
    this.needsPeer = false;
    this.#request = request;
    this.#next = next;
    this.#facts = new PublicFacts(request, authenticate);
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.answered = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    cancelWith(this, request.signal);
  }
  override get fromOutside(): boolean {
    return true;
  }
  override get clientAddress(): string | undefined {
    return this.#facts.state.clientAddress;
  }
  get headers(): Headers {
    return this.#request.header;
  }
  header(name: string): string | null {
    return this.#request.header.get(name);
  }
  override identify(): Promise<EndUser | undefined> {
    return this.#facts.identify();
  }
  override traced(traceId: string): void {
    this.#facts.state.requestId = traceId;
  }
  read(): Input {
    return this.#request.message;
  }
  override async invoke(message: Input): Promise<Response> {
    const response = await this.#next({ ...this.#request, message });
    const framed = this.#request.header.get("content-type")?.startsWith("application/grpc");
    if (framed && !response.stream) requireEncodable(this.served, response.message);
    return response;
  }
  answer(response: unknown): void {
    this.#resolve(response as Response);
  }
  fail(error: ConnectError): void {
    this.#reject(error);
  }
}

/** A streaming call from outside. */
export class PublicStreamCall extends IncomingCall {
  readonly #request: StreamRequest;
  readonly #facts: PublicFacts;

  constructor(served: ServedRoute, clock: Clock, request: StreamRequest, authenticate: Authenticate) {
    const nowMs = clock.now();
    super(served, nowMs, clock.monotonic(), requestDeadlineMs(request.header, nowMs), undefined);
    this.needsPeer = false;
    this.#request = request;
    this.#facts = new PublicFacts(request, authenticate);
    cancelWith(this, request.signal);
  }
  override get fromOutside(): boolean {
    return true;
  }
  override get clientAddress(): string | undefined {
    return this.#facts.state.clientAddress;
  }
  get headers(): Headers {
    return this.#request.header;
  }
  header(name: string): string | null {
    return this.#request.header.get(name);
  }
  override identify(): Promise<EndUser | undefined> {
    return this.#facts.identify();
  }
  override traced(traceId: string): void {
    this.#facts.state.requestId = traceId;
  }
}

class PublicFacts {
  readonly state: PublicCall;
  readonly #headers: Headers;
  readonly #authenticate: Authenticate;

  constructor({ contextValues, header }: UnaryRequest | StreamRequest, authenticate: Authenticate) {
    this.state = contextValues.get(publicCallKey);
    this.#headers = header;
    this.#authenticate = authenticate;
  }
  async identify(): Promise<EndUser | undefined> {
    return await this.#authenticate(this.#headers);
  }
}

function cancelWith(call: IncomingCall, signal: AbortSignal): void {
  // Connect aborts the signal of a finished call too; by then nobody listens.
  const abort = (): void => call.cancel(cancellation(signal));
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
}

/** Connect encodes what is framed when it is sent, and shows to the caller, and to nobody else, why it cannot. */
export function requireEncodable({ method }: Route, message: Message): void {
  toBinary(method.output, message);
}
