import { fromBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { Client } from "@grpc/grpc-js";
import {
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
} from "../gen/grpc/health/v1/health_pb.ts";

/** Of a server that answers, but has nothing to say of its health. */
const answers: ReadonlySet<number> = new Set([Code.Unimplemented, Code.PermissionDenied, Code.Unauthenticated]);

/**
 * Asks a server whether it serves, by grpc.health.v1; one that does not know the question is taken to be well.
 *
 * @param deadlineMs milliseconds since the epoch
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export function isServing(client: Client, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    client.makeUnaryRequest<Buffer, HealthCheckResponse>(
      "/grpc.health.v1.Health/Check",
      (request) => request,
      (bytes) => fromBinary(HealthCheckResponseSchema, bytes),
      // An empty message: the server as a whole.
      Buffer.alloc(0),
      { deadline: deadlineMs },
      (error, answer) =>
        resolve(error ? answers.has(error.code) : answer?.status === HealthCheckResponse_ServingStatus.SERVING),
    );
  });
}
