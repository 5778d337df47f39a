import { Code, ConnectError } from "@connectrpc/connect";
import type { Metadata, StatusObject } from "@grpc/grpc-js";
import { cancellation, notRunReason, rpcError } from "../contract/errors.ts";
import { decodeStatus, statusDetailsKey } from "../contract/grpc-status.ts";
import { pushbackTrailer } from "../contract/pushback.ts";
import { unreadable } from "./endpoint.ts";

/** What grpc-js says of a call that found no connection, or no more connection: it has not left this process. */
const notConnected = "No connection established";

/** What a call over grpc-js failed with, as the one error type. @param signal whose abortion may be why */
export function grpcError(error: unknown, signal?: AbortSignal): ConnectError {
  if (error instanceof ConnectError) return error;
  if (signal?.aborted) return cancellation(signal);
  if (!isServiceError(error)) return unreadable(error);
  const status = statusError(error);
  status.cause = error;
  return status;
}

/** A status that is not OK as an error, with its details. */
export function statusError({ code, details: message, metadata }: StatusObject): ConnectError {
  if (Number(code) === Code.Unavailable && message.includes(notConnected) && isOurOwn(metadata)) {
    return rpcError(Code.Unavailable, message, { reason: notRunReason, domain: "weft" });
  }
  const details = metadata.get(statusDetailsKey)[0];
  const status = decodeStatus(codeOf(code), message, details instanceof Buffer ? details : undefined);
  const pushback = metadata.get(pushbackTrailer)[0];
  if (pushback !== undefined) status.metadata.set(pushbackTrailer, pushback.toString());
  return status;
}

/** Whether a status was made by grpc-js in this process: a peer's has at least a content-type. A peer may say of his own call what we would of ours. */
function isOurOwn(metadata: Metadata): boolean {
  return Object.keys(metadata.getMap()).length === 0;
}

function isServiceError(error: unknown): error is Error & StatusObject {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "metadata" in error;
}

/** gRPC's number as Connect's code: the same numbers, 1 to 16. */
function codeOf(status: number): Code {
  return Code[status] === undefined ? Code.Unknown : status;
}
