import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Channel } from "./channel.ts";

/** Limit of the commands that ask one small thing. */
const unaryTimeoutMs = 5_000;

/** Calls a unary method whose types are known here: the standard ones and the mesh's own. */
export async function callUnary<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const requests = [toBinary(method.input, create(method.input, request))];
  const path = `/${method.parent.typeName}/${method.name}`;
  for await (const bytes of channel.call(path, requests, { timeoutMs: unaryTimeoutMs })) {
    return fromBinary(method.output, bytes);
  }
  throw new Error(`${path} ended without an answer`);
}
