import { create, type DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";

/**
 * What the caller may see of an error: its code, message and details if it is one of ours, else INTERNAL and nothing
 * else. The metadata of an inner call's error stays here.
 */
export function visibleError(
  error: unknown,
  { served, reason }: { readonly served: { readonly method: DescMethod }; readonly reason: Error | undefined },
): ConnectError {
  if (error instanceof ConnectError) {
    const visible = new ConnectError(error.rawMessage, error.code);
    visible.details = error.details.map((detail) => withDomain(detail, served.method));
    return visible;
  }
  if (reason instanceof ConnectError) return reason;
  return rpcError(Code.Internal, "internal error", { reason: "INTERNAL", domain: "weft" });
}

/** A reason that names no domain is of whoever owns the contract: the first part of its package, "shop" of shop.order.v1. */
function withDomain(detail: ConnectError["details"][number], { parent }: DescMethod): typeof detail {
  if (!("desc" in detail) || detail.desc.typeName !== ErrorInfoSchema.typeName) return detail;
  const info = create(ErrorInfoSchema, detail.value);
  if (info.domain !== "") return detail;
  return { desc: ErrorInfoSchema, value: { ...info, domain: parent.file.proto.package.split(".")[0] ?? "" } };
}
