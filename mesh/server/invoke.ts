import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { Code, type MethodImplSpec } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import type { CallHandlerContext } from "./handler-context.ts";

type Input = MessageShape<DescMessage>;

/**
 * Calls the handler of a streaming method of any kind, as if it were bidirectional: the wire is the same.
 *
 * @param deliver makes what is sent of an answer; it may throw
 */
export async function* invokeStream<T>(
  spec: MethodImplSpec,
  inputs: AsyncIterable<Input>,
  context: CallHandlerContext,
  deliver: (output: Input) => T,
): AsyncIterable<T> {
  switch (spec.kind) {
    case "unary":
      throw new Error(`${spec.method.name} is unary`);
    case "client_streaming":
      yield deliver((await spec.impl(inputs, context)) as Input);
      return;
    case "server_streaming":
      for await (const answer of spec.impl(await only(inputs), context)) yield deliver(answer as Input);
      return;
    case "bidi_streaming":
      for await (const answer of spec.impl(inputs, context)) yield deliver(answer as Input);
      return;
  }
}

async function only(inputs: AsyncIterable<Input>): Promise<Input> {
  let first: Input | undefined;
  for await (const input of inputs) {
    if (first !== undefined) throw rpcError(Code.InvalidArgument, "this method takes one request message, not several");
    first = input;
  }
  if (first === undefined) throw rpcError(Code.InvalidArgument, "this method takes a request message; none came");
  return first;
}
