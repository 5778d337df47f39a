import { create, type DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { CancelSource } from "../context/cancel-source.ts";
import { rpcError } from "../contract/errors.ts";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";

/**
 * What the caller may see of an error: its code, message and details if it is one of ours, else INTERNAL and nothing
 * else. The metadata of an inner call's error stays here.
 */
export function visibleError(
  error: unknown,
  { method, cancel }: { readonly method: DescMethod; readonly cancel: CancelSource },
): ConnectError {
  if (error instanceof ConnectError) {
    const visible = new ConnectError(error.rawMessage, error.code);
    visible.details = error.details.map((detail) => withDomain(detail, method));
    return visible;
  }
  if (cancel.reason instanceof ConnectError) return cancel.reason;
  return rpcError(Code.Internal, "internal error", { reason: "INTERNAL", domain: "weft" });
}

/** A reason that names no domain is of whoever owns the contract: the first part of its package, "shop" of shop.order.v1. */
function withDomain(detail: ConnectError["details"][number], { parent }: DescMethod): typeof detail {
  if (!("desc" in detail) || detail.desc.typeName !== ErrorInfoSchema.typeName) return detail;
  const info = create(ErrorInfoSchema, detail.value);
  if (info.domain !== "") return detail;
  return { desc: ErrorInfoSchema, value: { ...info, domain: parent.file.proto.package.split(".")[0] ?? "" } };
}
