import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponse_ServingStatusSchema as ServingStatusSchema,
} from "@weft/mesh/gen/grpc/health/v1/health_pb.js";
import { Command } from "commander";
import { connect } from "../connect.ts";
import { CliFailure, exitCodes } from "../failure.ts";
import { type CommonOptions, withCommonOptions } from "../options.ts";
import type { Io } from "../output.ts";
import { enumName } from "../proto-text/values.ts";
import { callUnary } from "../wire/unary.ts";

/** `weft health SERVICE` */
export function healthCommand(io: Io): Command {
  return withCommonOptions(new Command("health"))
    .description("what the service says of itself (grpc.health.v1): SERVING, or exit code 1")
    .argument("<service>", "name on the mesh: order")
    .action(async (service: string, options: CommonOptions) => {
      using channel = await connect(io, service, options);
      const { status } = await callUnary(channel, Health.method.check, {});
      const name = enumName(ServingStatusSchema, status);
      io.stdout(options.output === "json" ? `${JSON.stringify({ service, status: name })}\n` : `${service} ${name}\n`);
      if (status !== ServingStatus.SERVING) {
        throw new CliFailure(exitCodes.callFailed, `${service} is ${name}`);
      }
    });
}
