import { clone, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { CancelSource } from "../context/cancel-source.ts";
import { rpcError } from "../contract/errors.ts";
import type { InProcessNetwork, InProcessServer } from "../server/in-process-network.ts";
import type { Attempt, Endpoint } from "./endpoint.ts";

/**
 * Calls a service of the same process: no socket, no encoding. Each side gets messages of its own, so that neither can
 * change what the other holds.
 *
 * @param peer SPIFFE id of the calling service
 */
export function createInProcessEndpoint(network: InProcessNetwork, service: string, peer: string): Endpoint {
  const server = (): InProcessServer => {
    const found = network.find(service);
    if (found === undefined) throw rpcError(Code.Unavailable, `${service} is not running in this process`);
    return found;
  };
  const callOf = ({ headers, trace, deadlineMs, endUser }: Attempt, cancel: CancelSource) => ({
    headers: withTrace(new Headers(headers), trace),
    deadlineMs,
    endUser,
    peer,
    cancel,
  });
  return {
    address: "in-process",
    async unary(method, input, attempt) {
      const cancel = new CancelSource();
      const unlink = link(attempt.signal, cancel);
      try {
        const answer = await server().unary({ ...callOf(attempt, cancel), method }, clone(method.input, input));
        return { ...answer, message: copy(method.output, answer.message) };
      } finally {
        unlink();
      }
    },
    async stream(method, inputs, attempt) {
      const cancel = new CancelSource();
      const unlink = link(attempt.signal, cancel);
      const outputs = server().stream({ ...callOf(attempt, cancel), method }, copies(method.input, inputs));
      return { header: new Headers(), trailer: new Headers(), message: copies(method.output, outputs, unlink) };
    },
    close: () => undefined,
  };
}

function withTrace(headers: Headers, trace: Attempt["trace"]): Headers {
  for (const [name, value] of Object.entries(trace)) headers.set(name, value);
  return headers;
}

/** Passes the caller's cancellation on; returns how to stop doing so. */
function link(signal: AbortSignal | undefined, cancel: CancelSource): () => void {
  if (signal === undefined) return () => undefined;
  const abort = (): void => cancel.cancel(rpcError(Code.Canceled, "the caller cancelled the call"));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}

async function* copies<Desc extends DescMessage>(
  schema: Desc,
  messages: AsyncIterable<Message>,
  onEnd: () => void = () => undefined,
): AsyncIterable<MessageShape<Desc>> {
  try {
    for await (const message of messages) yield copy(schema, message);
  } finally {
    onEnd();
  }
}

function copy<Desc extends DescMessage>(schema: Desc, message: Message): MessageShape<Desc> {
  return clone(schema, message as MessageShape<Desc>);
}
