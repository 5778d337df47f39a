import { Command } from "commander";
import { CliFailure, exitCodes } from "../failure.ts";
import { parseCount, parseTimeoutMs } from "../options.ts";
import { type Io, type OutputFormat, printRows } from "../output.ts";
import { keysHelp } from "../try/keys.ts";
import type { FaultReport } from "../try/scenarios.ts";

interface TryOptions {
  replicas: number;
  rate: number;
  for?: number;
  faults?: true;
  json?: true;
}

/** `weft try` */
export function tryCommand(io: Io): Command {
  return new Command("try")
    .description("the mesh alone: a caller and a service of some replicas as processes; no engine, no root")
    .option("--replicas <count>", "how many", parseCount(9), 3)
    .option(
      "--rate <count>",
      "calls per second, every other one to a method that may run twice",
      parseCount(5_000),
      200,
    )
    .option(
      "--for <time>",
      "end after that: 30s (default: with q, or after 10s where there is no terminal)",
      parseTimeoutMs,
    )
    .option("--faults", "no keys: freeze, kill, slow and restart a replica on both ways, and count what callers see")
    .option("--json", "with --faults: as JSON")
    .addHelpText("after", `\n${keysHelp}`)
    .action(async (options: TryOptions) => {
      if (options.faults) await showFaults(io, options);
      else {
        // Imported when it is needed: other commands start faster without the mesh.
        const { play } = await import("../try/play.ts");
        const forMs = options.for ?? (io.isTerminal ? Number.POSITIVE_INFINITY : 10_000);
        await play(io, { replicas: options.replicas, callsPerSecond: options.rate, forMs });
      }
    });
}

async function showFaults(io: Io, { replicas, rate, json }: TryOptions): Promise<void> {
  const { runFaults } = await import("../try/scenarios.ts");
  if (!json) io.stdout(`${replicas} replicas, ${rate} calls/s; one goes wrong for 5 s, on each way: about a minute\n`);
  const reports = await runFaults(replicas, rate);
  printReports(io, json ? "json" : "text", reports);
  const bad = reports.filter(({ failedIdempotent, failedLate }) => failedIdempotent + failedLate > 0);
  if (bad.length === 0) return;
  const names = bad.map(({ fault, way }) => `${fault} on ${way}`).join(", ");
  throw new CliFailure(exitCodes.callFailed, `calls failed that need not: ${names}`);
}

function printReports(io: Io, format: OutputFormat, reports: readonly FaultReport[]): void {
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  printRows(io, format, reports, {
    way: ({ way }) => way,
    "a replica is": ({ fault }) => fault,
    calls: ({ calls }) => String(calls),
    "failed, may run twice": ({ failedIdempotent }) => String(failedIdempotent),
    "failed, may not": ({ failedOnce }) => String(failedOnce),
    "failed after 2 s": ({ failedLate }) => String(failedLate),
    "p99 before": ({ p99BeforeMs }) => ms(p99BeforeMs),
    p99: ({ p99Ms }) => ms(p99Ms),
    "p99 after 2 s": ({ p99LateMs }) => ms(p99LateMs),
  });
}
