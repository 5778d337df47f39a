import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Channel } from "./channel.ts";

/** Limit of the commands that ask one small thing. */
const unaryTimeoutMs = 5_000;

/**
 * Calls a method that answers with a stream, for as long as that lives; whoever stops reading cancels it. Types as for callUnary().
 *
 * @throws grpc-js's ServiceError, from the iteration
 */
export async function* callServerStream<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
): AsyncGenerator<MessageShape<O>> {
  const requests = [toBinary(method.input, create(method.input, request))];
  for await (const bytes of channel.call(`/${method.parent.typeName}/${method.name}`, requests)) {
    yield fromBinary(method.output, bytes);
  }
}

/** Calls a unary method whose types are known here: the standard ones and the mesh's own. */
export async function callUnary<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  timeoutMs = unaryTimeoutMs,
): Promise<MessageShape<O>> {
  const requests = [toBinary(method.input, create(method.input, request))];
  const path = `/${method.parent.typeName}/${method.name}`;
  for await (const bytes of channel.call(path, requests, { timeoutMs })) {
    return fromBinary(method.output, bytes);
  }
  throw new Error(`${path} ended without an answer`);
}
