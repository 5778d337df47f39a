import type { DescMethod, MessageShape } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { idempotencyKeyHeader, keysDiffer, parseIdempotencyKey } from "../contract/idempotency-key.ts";
import type { IncomingCall } from "./incoming-call.ts";

type Call = Pick<IncomingCall, "served" | "header">;

/** The key that a call brings in its metadata, where its method takes one from there. @throws ConnectError INVALID_ARGUMENT */
export function keyInMetadata(call: Call): string | undefined {
  const { idempotencyKey: rule } = call.served.policy;
  return rule?.source === "metadata" ? parseIdempotencyKey(call.header(idempotencyKeyHeader)) : undefined;
}

/** Where a field is the key, a key in the metadata beside it must be the same. @throws ConnectError INVALID_ARGUMENT */
export function requireSameKey(call: Call, input: MessageShape<DescMethod["input"]>): void {
  const { method, policy } = call.served;
  const rule = policy.idempotencyKey;
  if (rule?.source !== "field") return;
  const key = parseIdempotencyKey(call.header(idempotencyKeyHeader));
  if (key !== undefined && key !== reflect(method.input, input).get(rule.field)) throw keysDiffer(rule.field.name);
}
