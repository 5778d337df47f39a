import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";

/** The metadata key of google.rpc.Status, error details included. */
export const statusDetailsKey = "grpc-status-details-bin";

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

/** An error's details as an encoded google.rpc.Status; undefined if it has none. */
export function encodeStatusDetails(error: ConnectError): Uint8Array | undefined {
  if (error.details.length === 0) return undefined;
  const details = error.details.map((detail) =>
    "desc" in detail
      ? { typeUrl: typeUrl(detail.desc.typeName), value: toBinary(detail.desc, create(detail.desc, detail.value)) }
      : { typeUrl: typeUrl(detail.type), value: detail.value },
  );
  return toBinary(StatusSchema, create(StatusSchema, { code: error.code, message: error.rawMessage, details }));
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

function typeUrl(typeName: string): string {
  return `type.googleapis.com/${typeName}`;
}
