import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";

/** What of a call its handler can ask for through Connect's context. */
interface HandledCall {
  readonly method: string;
  readonly headers: Headers;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
}

/** What Connect hands to a handler, without the timer and the headers that most handlers never ask for. */
export class CallHandlerContext implements HandlerContext {
  readonly method: DescMethod;
  readonly #call: HandledCall;
  #values: ContextValues | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;

  constructor(method: DescMethod, call: HandledCall) {
    this.method = method;
    this.#call = call;
  }

  get requestMethod(): string {
    return "POST";
  }
  get protocolName(): string {
    return "grpc";
  }
  get service(): DescService {
    return this.method.parent;
  }
  get requestHeader(): Headers {
    return this.#call.headers;
  }
  get signal(): AbortSignal {
    return this.#call.signal;
  }
  get url(): string {
    return `/${this.#call.method}`;
  }
  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }
  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }
  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }
  /** The response headers if the handler set any. */
  get sentHeader(): Headers | undefined {
    return this.#responseHeader;
  }
  /** The response trailers if the handler set any. */
  get sentTrailer(): Headers | undefined {
    return this.#responseTrailer;
  }

  timeoutMs(): number | undefined {
    const { deadlineMs } = this.#call;
    return deadlineMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, deadlineMs - Date.now());
  }
}
