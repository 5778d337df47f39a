import { create, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import { malformed } from "./malformed.ts";
import type { ServedRoute } from "./served-route.ts";

/** Largest message of a call or an answer. */
export const messageBytesMax = 4 * 1024 * 1024;

/** A request's message. @throws ConnectError INVALID_ARGUMENT if it is none */
export function decodeRequest({ method, decode }: ServedRoute, bytes: Uint8Array): MessageShape<DescMessage> {
  try {
    return decode(bytes);
  } catch (cause) {
    throw malformed(method.input, cause);
  }
}

/**
 * What a handler answered, encoded. Small messages are in a scratch: they are good until the next answer is encoded.
 *
 * @throws Error if it is no valid message, ConnectError if it is too large
 */
export function encodeAnswer({ method, encode }: ServedRoute, output: Message): Uint8Array {
  const bytes = encode(create(method.output, output));
  if (bytes.length > messageBytesMax) {
    throw rpcError(
      Code.ResourceExhausted,
      `the answer has ${bytes.length} bytes, above the limit of ${messageBytesMax}`,
    );
  }
  return bytes;
}
