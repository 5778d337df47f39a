import { AdminService, BreakerStateSchema } from "@weft/mesh/gen/weft/admin/v1/admin_pb.js";
import { Command } from "commander";
import { connect } from "../connect.ts";
import { type CommonOptions, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import { enumName } from "../proto-text/values.ts";
import { callUnary } from "../wire/unary.ts";

/** `weft breakers SERVICE` */
export function breakersCommand(io: Io): Command {
  return withCommonOptions(new Command("breakers"))
    .description("the circuit breakers of the service's calls to others")
    .argument("<service>", "name on the mesh: order")
    .action(async (service: string, options: CommonOptions) => {
      using channel = await connect(io, service, options);
      const { breakers } = await callUnary(channel, AdminService.method.listBreakers, {});
      const rows = breakers.map(({ target, endpoint, method, state }) => ({
        target,
        endpoint,
        method,
        state: enumName(BreakerStateSchema, state).replace("BREAKER_STATE_", ""),
      }));
      if (rows.length === 0 && options.output === "text") {
        io.stdout(`${service} has called nobody yet\n`);
        return;
      }
      printRows(io, options.output, rows, {
        target: (row) => row.target,
        endpoint: (row) => row.endpoint,
        method: (row) => row.method,
        state: (row) => row.state,
      });
    });
}
