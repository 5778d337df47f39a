import { type DescMessage, hasOption } from "@bufbuild/protobuf";
import { type CopyMessage, createMessageCopier } from "../contract/copy-message.ts";
import { createMessageDecoder, type DecodeMessage } from "../contract/decode-message.ts";
import { createMessageEncoder, type EncodeMessage } from "../contract/encode-message.ts";
import type { EncodeScratch } from "../contract/encode-scratch.ts";
import { field as fieldRules, message as messageRules, oneof as oneofRules } from "../gen/buf/validate/validate_pb.ts";
import type { CallDurations } from "../telemetry/call-durations.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Route } from "./routes.ts";

/** A route as the pipeline serves it: what its calls need, looked up once. */
export interface ServedRoute extends Route {
  readonly durations: CallDurations;
  /** A health check: asked every few seconds by many, it is neither counted among the calls in hand nor traced, and answered to the last. */
  readonly probe: boolean;
  /** Whether anything in a request has a rule. */
  readonly ruled: boolean;
  /** Decodes a request, and encodes an answer. */
  readonly decode: DecodeMessage;
  readonly encode: EncodeMessage;
  /** For calls of the same process: the handler's own copy of a request, and the caller's of an answer. */
  readonly copyRequest: CopyMessage;
  readonly copyAnswer: CopyMessage;
}

/** Prepares a route for its calls. */
export function prepareRoute(route: Route, telemetry: Telemetry, scratch: EncodeScratch): ServedRoute {
  const { method, policy, spec } = route;
  const attributes = { "rpc.system.name": "grpc", "rpc.method": policy.path };
  return {
    method,
    policy,
    spec,
    durations: telemetry.callDurations("rpc.server.call.duration", "Calls handled", attributes),
    probe: policy.path.startsWith("grpc.health.v1."),
    decode: createMessageDecoder(method.input),
    encode: createMessageEncoder(method.output, scratch),
    copyRequest: createMessageCopier(method.input),
    copyAnswer: createMessageCopier(method.output),
    ruled: hasRules(method.input, new Set()),
  };
}

/** Whether protovalidate has anything to look at in a message. */
function hasRules(message: DescMessage, seen: Set<DescMessage>): boolean {
  if (seen.has(message)) return false;
  seen.add(message);
  if (hasOption(message, messageRules)) return true;
  if (message.oneofs.some((oneof) => hasOption(oneof, oneofRules))) return true;
  return message.fields.some(
    (field) => hasOption(field, fieldRules) || (field.message !== undefined && hasRules(field.message, seen)),
  );
}
