import type { ServiceError } from "@grpc/grpc-js";

/** Whether an error is the status of a call, as grpc-js reports it. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "details" in error && "code" in error && typeof error.code === "number";
}
