import type { DescMessage } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";

/** The error of a request that is no valid message. */
export function malformed(schema: DescMessage, cause: unknown): ConnectError {
  return rpcError(Code.InvalidArgument, `the request is not a valid ${schema.typeName} message`, {
    reason: "MALFORMED_MESSAGE",
    domain: "weft",
    cause,
  });
}
