import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { EndUser } from "../context/call-context.ts";
import type { CancelSource } from "../context/cancel-source.ts";
import type { TraceIds } from "../context/trace-ids.ts";
import type { Criticality } from "../contract/criticality.ts";

/** A call between two services of one process. Messages are the receiver's own copies. */
export interface InProcessCall {
  readonly method: DescMethod;
  readonly deadlineMs: number;
  /** SPIFFE id of the calling service. */
  readonly peer: string;
  readonly endUser: EndUser | undefined;
  readonly trace: TraceIds | undefined;
  /** Which attempt this one is, along the chain of calls. */
  readonly attempt: number;
  readonly criticality: Criticality | undefined;
  /** Other metadata; undefined for none. */
  readonly headers: Headers | undefined;
}

/** A unary call, as its caller keeps it. One of its methods is called, once, during unary() or later. */
export interface InProcessUnaryCall extends InProcessCall {
  /** The message is the caller's own copy. Headers are undefined where the handler has set none. */
  answered(message: Message, header: Headers | undefined, trailer: Headers | undefined): void;
  failed(error: ConnectError): void;
}

/** A call whose answer nobody may wait for any more. */
export interface CancellableCall {
  cancel(reason: Error): void;
}

/** The answers of a stream, the caller's own copies. */
export interface InProcessStream {
  /** Must be read: the call begins with the first step. */
  readonly messages: AsyncIterable<Message>;
  /** Complete when the first message has come. */
  header(): Headers;
  /** Complete when the messages have ended. */
  trailer(): Headers;
}

/** A server that can be called without a socket. */
export interface InProcessServer {
  /** @param input is copied before anything else happens */
  unary(call: InProcessUnaryCall, input: Message): CancellableCall;
  /** @param inputs the handler's own: whoever calls has copied them */
  stream(call: InProcessCall, inputs: AsyncIterable<Message>, cancel: CancelSource): InProcessStream;
}

/** The services of one process, by name. */
export interface InProcessNetwork {
  add(name: string, server: InProcessServer): Disposable;
  find(name: string): InProcessServer | undefined;
}

/** Creates the network over which the services of a single-process topology call each other. */
export function createInProcessNetwork(): InProcessNetwork {
  const servers = new Map<string, InProcessServer>();
  return {
    add(name, server) {
      if (servers.has(name)) throw new Error(`this process already runs a service named ${name}`);
      servers.set(name, server);
      return { [Symbol.dispose]: () => void servers.delete(name) };
    },
    find: (name) => servers.get(name),
  };
}
