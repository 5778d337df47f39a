import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { EndUser } from "../context/call-context.ts";
import type { CancelSource } from "../context/cancel-source.ts";

/** A call between two services of one process. Messages are the receiver's own copies. */
export interface InProcessCall {
  readonly method: DescMethod;
  readonly headers: Headers;
  readonly deadlineMs: number;
  /** SPIFFE id of the calling service. */
  readonly peer: string;
  readonly endUser: EndUser | undefined;
  readonly cancel: CancelSource;
}

/** A unary answer, the caller's own copy, with its metadata. */
export interface InProcessAnswer {
  readonly message: Message;
  readonly header: Headers;
  readonly trailer: Headers;
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
  unary(call: InProcessCall, input: Message): Promise<InProcessAnswer>;
  stream(call: InProcessCall, inputs: AsyncIterable<Message>): InProcessStream;
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
