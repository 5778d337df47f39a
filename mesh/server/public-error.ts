import { create, createRegistry, fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, file_google_rpc_error_details, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";

const knownDetails = createRegistry(file_google_rpc_error_details);

/**
 * What somebody outside may see of an error. What is the caller's or the domain's fault passes with its details; of what
 * broke inside, or was too much for a part of it, only an id is told, with which we find it in our logs and traces.
 */
export function publicError(error: ConnectError, requestId: string): ConnectError {
  const message = innerMessages[error.code] ?? (isOfTheMesh(error) ? meshMessages[error.code] : undefined);
  const visible = new ConnectError(message ? `${message} (request id ${requestId})` : error.rawMessage, error.code);
  visible.details = message ? whenToRetry(error) : error.details.map(legible);
  visible.metadata.set("x-request-id", requestId);
  return visible;
}

/** What the error says of it; of what is away or too slow, a wait after which a breaker has let a probe through. */
function whenToRetry(error: ConnectError): ConnectError["details"] {
  const said = error.findDetails(RetryInfoSchema);
  const isAway = error.code === Code.Unavailable || error.code === Code.DeadlineExceeded;
  const values = said.length === 0 && isAway ? [create(RetryInfoSchema, { retryDelay: retryDelayDefault })] : said;
  return values.map((value) => ({ desc: RetryInfoSchema, value }));
}

/** Whether the mesh itself says it: a full pool names a statement, a bound its setting. */
function isOfTheMesh(error: ConnectError): boolean {
  return error.findDetails(ErrorInfoSchema)[0]?.domain === "weft";
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

const retryDelayDefault = { seconds: 1n };

const innerMessages: Partial<Record<Code, string>> = {
  [Code.Internal]: "internal error",
  [Code.Unknown]: "internal error",
  [Code.DataLoss]: "internal error",
  [Code.Unimplemented]: "not available",
  [Code.Unavailable]: "temporarily unavailable, please try again",
  [Code.DeadlineExceeded]: "this took too long, please try again",
};

const meshMessages: Partial<Record<Code, string>> = {
  [Code.ResourceExhausted]: "too busy at this moment, please try again",
  [Code.Aborted]: "something else was changed at the same time, please try again",
};
