import { create, createRegistry, fromBinary, type JsonObject, type Registry, toJson } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { status as grpcStatus, type ServiceError } from "@grpc/grpc-js";
import { file_google_rpc_error_details } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "@weft/mesh/gen/google/rpc/status_pb.js";

/** One detail of an error. */
export interface StatusDetail {
  /** Full name of its message type. */
  type: string;
  /** The message as JSON; undefined when its type is not known here. */
  value: JsonObject | undefined;
  /** Its bytes, for a type that is not known. */
  bytes: Uint8Array;
}

/** A call's error, decoded. */
export interface CallStatus {
  /** "NOT_FOUND" */
  code: string;
  number: number;
  message: string;
  details: StatusDetail[];
}

/**
 * Decodes an error that grpc-js reports, with its `grpc-status-details-bin` (google.rpc.Status).
 *
 * @param registry types of the called service, for details of its own; the types of google.rpc are known anyway
 */
export function decodeStatus(error: ServiceError, registry?: Registry): CallStatus {
  const known = createRegistry(file_google_rpc_error_details, ...(registry === undefined ? [] : [registry]));
  return {
    code: grpcStatus[error.code] ?? `CODE_${error.code}`,
    number: error.code,
    message: error.details,
    details: detailsOf(error).map((any) => decodeDetail(any, known)),
  };
}

function detailsOf(error: ServiceError): Any[] {
  const [encoded] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!(encoded instanceof Uint8Array)) return [];
  try {
    return fromBinary(StatusSchema, encoded).details;
  } catch {
    // Code and message are worth more than a complaint about details that cannot be read.
    return create(StatusSchema).details;
  }
}

function decodeDetail(any: Any, registry: Registry): StatusDetail {
  const type = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
  const schema = registry.getMessage(type);
  return { type, value: schema === undefined ? undefined : jsonOf(any, registry), bytes: any.value };
}

function jsonOf(any: Any, registry: Registry): JsonObject | undefined {
  try {
    const message = anyUnpack(any, registry);
    const schema = message && registry.getMessage(message.$typeName);
    return message && schema && (toJson(schema, message, { registry }) as JsonObject);
  } catch {
    return undefined;
  }
}

/** The error for people: code and message, then every detail by its type. */
export function formatStatus(status: CallStatus): string {
  return [`${status.code} (${status.number}): ${status.message}`, ...status.details.map(formatDetail)].join("\n");
}

function formatDetail(detail: StatusDetail): string {
  if (detail.value === undefined) return `  ${detail.type}: ${detail.bytes.length} bytes of a type not known here`;
  const json = JSON.stringify(detail.value, null, 2).split("\n").join("\n  ");
  return `  ${detail.type} ${json}`;
}

/** The error for programs. Details as protobuf has Any in JSON, with "@type". */
export function statusToJson(status: CallStatus): JsonObject {
  return {
    code: status.code,
    message: status.message,
    details: status.details.map((detail) => ({
      "@type": detail.type,
      ...(detail.value ?? { value: Buffer.from(detail.bytes).toString("base64") }),
    })),
  };
}
