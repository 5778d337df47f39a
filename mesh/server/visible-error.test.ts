import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { rpcError } from "../contract/errors.ts";
import { ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { visibleError } from "./visible-error.ts";

test.each([
  ["of the contract's owner where it names nobody", undefined, "grpc"],
  ["of whoever it names", "weft", "weft"],
])("a reason is %s", (_what, domain, expected) => {
  const error = rpcError(Code.NotFound, "no", { reason: "GONE", metadata: { id: "7" }, ...(domain && { domain }) });
  const visible = visibleError(error, { served: { method: Health.method.check }, reason: undefined });
  expect(visible.findDetails(ErrorInfoSchema)).toMatchObject([
    { reason: "GONE", domain: expected, metadata: { id: "7" } },
  ]);
});
