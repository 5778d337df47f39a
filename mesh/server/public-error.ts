import { createRegistry, fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { file_google_rpc_error_details, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";

const knownDetails = createRegistry(file_google_rpc_error_details);

/**
 * What somebody outside may see of an error. What is the caller's or the domain's fault passes with its details; of what
 * broke inside only an id is told, with which we find it in our logs and traces.
 */
export function publicError(error: ConnectError, requestId: string): ConnectError {
  const visible = new ConnectError(publicMessage(error, requestId), error.code);
  visible.details = isOurs(error.code)
    ? error.findDetails(RetryInfoSchema).map((value) => ({ desc: RetryInfoSchema, value }))
    : error.details.map(legible);
  visible.metadata.set("x-request-id", requestId);
  return visible;
}

/** A detail that came from an inner service, decoded: Connect then writes it as JSON too, which a person can read. */
function legible(detail: ConnectError["details"][number]): ConnectError["details"][number] {
  const schema = "type" in detail ? knownDetails.getMessage(detail.type) : undefined;
  if (schema === undefined || !(detail.value instanceof Uint8Array)) return detail;
  try {
    return { desc: schema, value: fromBinary(schema, detail.value) };
  } catch {
    return detail;
  }
}

function isOurs(code: Code): boolean {
  return publicMessages[code] !== undefined;
}

const publicMessages: Partial<Record<Code, string>> = {
  [Code.Internal]: "internal error",
  [Code.Unknown]: "internal error",
  [Code.DataLoss]: "internal error",
  [Code.Unimplemented]: "not available",
  [Code.Unavailable]: "temporarily unavailable, please try again",
  [Code.DeadlineExceeded]: "this took too long, please try again",
};

function publicMessage(error: ConnectError, requestId: string): string {
  const message = publicMessages[error.code];
  return message === undefined ? error.rawMessage : `${message} (request id ${requestId})`;
}
