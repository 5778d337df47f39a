import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { baggageHeader, formatBaggage, withMembers } from "../context/baggage.ts";
import { formatTraceparent } from "../context/trace-ids.ts";
import type { Clock } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import { CallHandlerContext } from "./handler-context.ts";
import type { InProcessCall, InProcessServer, InProcessUnaryCall } from "./in-process-network.ts";
import { IncomingCall, type Input, UnaryCall } from "./incoming-call.ts";
import { invokeStream } from "./invoke.ts";
import type { ServerPipeline } from "./pipeline.ts";
import type { Route } from "./routes.ts";
import type { ServedRoute } from "./served-route.ts";

/** Answers calls from the same process through the same pipeline as those from the wire. */
export function createInProcessServer(routes: ReadonlyMap<string, Route>, pipeline: ServerPipeline): InProcessServer {
  const { clock } = pipeline;
  const served = new Map<DescMethod, ServedRoute>(
    [...routes.values()].map((route) => [route.method, pipeline.prepare(route)]),
  );
  const find = ({ method }: InProcessCall): ServedRoute => {
    const route = served.get(method);
    if (route !== undefined) return route;
    const path = `${method.parent.typeName}/${method.name}`;
    throw rpcError(Code.Unimplemented, `this service has no method ${path}`);
  };
  return {
    unary(call, input) {
      const incoming = new InProcessReceivedCall(find(call), clock, call, input);
      pipeline.unary(incoming);
      return incoming;
    },
    stream(call, inputs, cancel) {
      const route = find(call);
      const incoming = new InProcessReceivedStream(route, clock, call);
      cancel.onCancel((reason) => incoming.cancel(reason));
      const own = new CallHandlerContext(route.method, incoming);
      const messages = pipeline.stream(incoming, inputs, (received) =>
        invokeStream(route.spec, received, own, (output) => route.copyAnswer(output)),
      );
      return {
        messages,
        header: () => own.sentHeader ?? new Headers(),
        trailer: () => own.sentTrailer ?? new Headers(),
      };
    },
  };
}

/** A unary call of the same process as its server sees it. */
class InProcessReceivedCall extends UnaryCall {
  readonly #call: InProcessUnaryCall;
  readonly #headers: Headers | undefined;
  readonly #input: Message | Error;

  constructor(served: ServedRoute, clock: Clock, call: InProcessUnaryCall, input: Message) {
    super(served, clock.now(), clock.monotonic(), call.deadlineMs, call.peer);
    this.#call = call;
    this.#headers = call.headers;
    this.#input = copied(served, input);
    adopt(this, call);
  }
  header(name: string): string | null {
    return this.#headers?.get(name) ?? null;
  }
  get headers(): Headers {
    return withChain(this.#headers, this.#call);
  }
  read(): Input {
    if (this.#input instanceof Error) throw this.#input;
    return this.#input;
  }
  answer(output: Message): void {
    const { handlerContext } = this;
    const message = this.served.copyAnswer(output);
    this.#call.answered(message, handlerContext?.sentHeader, handlerContext?.sentTrailer);
  }
  fail(error: ConnectError): void {
    this.#call.failed(error);
  }
}

class InProcessReceivedStream extends IncomingCall {
  readonly #call: InProcessCall;

  constructor(served: ServedRoute, clock: Clock, call: InProcessCall) {
    super(served, clock.now(), clock.monotonic(), call.deadlineMs, call.peer);
    this.#call = call;
    adopt(this, call);
  }
  header(name: string): string | null {
    return this.#call.headers?.get(name) ?? null;
  }
  get headers(): Headers {
    return withChain(this.#call.headers, this.#call);
  }
}

/** As over gRPC, where trace and chain are among them. */
function withChain(given: Headers | undefined, { trace, attempt, criticality }: InProcessCall): Headers {
  const headers = new Headers(given);
  const members = formatBaggage(attempt, criticality);
  if (members !== undefined) headers.set(baggageHeader, withMembers(headers.get(baggageHeader), members));
  if (trace === undefined) return headers;
  headers.set("traceparent", formatTraceparent(trace));
  if (trace.state !== undefined) headers.set("tracestate", trace.state);
  return headers;
}

function adopt(incoming: IncomingCall, call: InProcessCall): void {
  incoming.endUser = call.endUser;
  incoming.attempt = call.attempt;
  incoming.criticality = call.criticality;
  incoming.adoptTrace(call.trace);
}

/** The error is told within the pipeline, as that of bytes that cannot be decoded. */
function copied({ method, copyRequest }: ServedRoute, input: Message): Message | Error {
  try {
    return copyRequest(input);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return rpcError(Code.InvalidArgument, `not a valid ${method.input.typeName} message: ${reason}`, {
      reason: "MALFORMED_MESSAGE",
      domain: "weft",
      cause,
    });
  }
}
