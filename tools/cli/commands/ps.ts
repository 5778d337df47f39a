import { type Duration, durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { AdminService, type GetProcessResponse } from "@weft/mesh/gen/weft/admin/v1/admin_pb.js";
import { Command } from "commander";
import { loadAddressBook } from "../address-book.ts";
import { connect } from "../connect.ts";
import { CliFailure, exitCodes, unreachableFailure } from "../failure.ts";
import { type CommonOptions, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import { callUnary } from "../wire/unary.ts";

interface ProcessRow {
  service: string;
  pid?: number;
  startedAt?: string;
  residentBytes?: number;
  cpuMs?: number;
  nodeVersion?: string;
  /** Why nothing is known; absent when all is well. */
  problem?: string;
}

/** `weft ps` */
export function psCommand(io: Io): Command {
  return withCommonOptions(new Command("ps"))
    .description("the process of each service: id, start, memory, CPU time (services that share one report the same)")
    .action(async (options: CommonOptions) => {
      const book = await loadAddressBook(options.stack, io.workingDirectory);
      const rows = await Promise.all([...book.services.keys()].map((service) => askProcess(io, service, options)));
      printRows(io, options.output, rows, {
        service: (row) => row.service,
        pid: (row) => String(row.pid ?? "-"),
        started: (row) => row.startedAt ?? "-",
        memory: (row) => (row.residentBytes === undefined ? "-" : `${Math.round(row.residentBytes / 2 ** 20)} MiB`),
        cpu: (row) => (row.cpuMs === undefined ? "-" : `${(row.cpuMs / 1_000).toFixed(1)} s`),
        node: (row) => row.nodeVersion ?? "-",
      });
      const [down, ...more] = rows.filter((row) => row.problem !== undefined);
      if (down === undefined) return;
      const others = more.length === 0 ? "" : `; nor ${more.map((row) => row.service).join(", ")}`;
      throw unreachableFailure(`${down.problem}${others}`, "is the stack up? `make up` starts it");
    });
}

async function askProcess(io: Io, service: string, options: CommonOptions): Promise<ProcessRow> {
  try {
    using channel = await connect(io, service, options);
    return toRow(service, await callUnary(channel, AdminService.method.getProcess, {}));
  } catch (error) {
    if (error instanceof CliFailure && error.exitCode === exitCodes.unreachable)
      return { service, problem: error.message };
    throw error;
  }
}

function toRow(service: string, process: GetProcessResponse): ProcessRow {
  return {
    service,
    pid: Number(process.pid),
    residentBytes: Number(process.residentBytes),
    nodeVersion: process.nodeVersion,
    ...(process.startedAt && { startedAt: new Date(timestampMs(process.startedAt)).toISOString() }),
    ...(process.cpuTime && { cpuMs: durationMs(process.cpuTime as Duration) }),
  };
}
