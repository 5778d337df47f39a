import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";

/** The metadata key of google.rpc.Status, error details included. */
export const statusDetailsKey = "grpc-status-details-bin";

/**
 * What travels of a message and of details. Both go as trailers, of which a peer need not take more than 8 KiB in all
 * (gRPC's own default); a larger block breaks the stream and hides the status.
 */
const messageLengthMax = 512;
const detailsBytesMax = 4_096;

const names = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** A status as gRPC spells it: "NOT_FOUND". Connect's codes and gRPC's have the same numbers; 0 is OK. */
export function statusName(code: Code | 0): string {
  return names[code] ?? "UNKNOWN";
}

/** An error's message as grpc-message can carry it: well-formed Unicode, cut at 512 characters. */
export function statusMessage(error: ConnectError): string {
  const { rawMessage } = error;
  const cut = rawMessage.length > messageLengthMax ? `${rawMessage.slice(0, messageLengthMax - 3)}...` : rawMessage;
  return cut.toWellFormed();
}

/** An error's details as an encoded google.rpc.Status; undefined if it has none. Those that find no room are left out. */
export function encodeStatusDetails(error: ConnectError): Uint8Array | undefined {
  return error.details.length === 0 ? undefined : encodeStatus(error);
}

/** An error as an encoded google.rpc.Status. Details that find no room are left out. */
export function encodeStatus(error: ConnectError): Uint8Array {
  const details: { typeUrl: string; value: Uint8Array }[] = [];
  let bytes = 0;
  for (const detail of error.details) {
    const encoded = encodeDetail(detail);
    if (encoded === undefined || bytes + encoded.value.length > detailsBytesMax) continue;
    bytes += encoded.value.length;
    details.push(encoded);
  }
  return toBinary(StatusSchema, create(StatusSchema, { code: error.code, message: statusMessage(error), details }));
}

function encodeDetail(detail: ConnectError["details"][number]): { typeUrl: string; value: Uint8Array } | undefined {
  if ("type" in detail) return { typeUrl: typeUrl(detail.type), value: detail.value };
  try {
    return { typeUrl: typeUrl(detail.desc.typeName), value: toBinary(detail.desc, create(detail.desc, detail.value)) };
  } catch {
    // Our own broken detail must not hide the status either.
    return undefined;
  }
}

/** An error from the parts of a gRPC status. Details that cannot be decoded are left out. */
export function decodeStatus(code: Code, message: string, details: Uint8Array | undefined): ConnectError {
  const error = new ConnectError(message, code);
  if (details === undefined) return error;
  try {
    for (const { typeUrl: url, value } of fromBinary(StatusSchema, details).details) {
      error.details.push({ type: url.slice(url.lastIndexOf("/") + 1), value });
    }
  } catch {
    // A peer's broken details must not hide its status.
  }
  return error;
}

/** An error from an encoded google.rpc.Status. Whatever it is, it is an error. */
export function decodeError(status: Uint8Array): ConnectError {
  try {
    const { code, message } = fromBinary(StatusSchema, status);
    return decodeStatus(Code[code] === undefined ? Code.Unknown : code, message, status);
  } catch (cause) {
    return new ConnectError("the peer's status could not be read", Code.Internal, undefined, undefined, cause);
  }
}

function typeUrl(typeName: string): string {
  return `type.googleapis.com/${typeName}`;
}
