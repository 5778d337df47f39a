import { Command, CommanderError } from "commander";
import { auditCommand } from "./commands/audit.ts";
import { breakersCommand } from "./commands/breakers.ts";
import { callCommand } from "./commands/call.ts";
import { describeCommand } from "./commands/describe.ts";
import { dlqCommand } from "./commands/dlq.ts";
import { eventsCommand } from "./commands/events.ts";
import { faultCommand } from "./commands/fault.ts";
import { healthCommand } from "./commands/health.ts";
import { listCommand } from "./commands/list.ts";
import { policyCommand } from "./commands/policy.ts";
import { psCommand } from "./commands/ps.ts";
import { sagaCommand } from "./commands/saga.ts";
import { splitCommand } from "./commands/split.ts";
import { tryCommand } from "./commands/try.ts";
import { CliFailure, callFailure, type ExitCode, exitCodes } from "./failure.ts";
import type { CommonOptions } from "./options.ts";
import type { Io } from "./output.ts";
import manifest from "./package.json" with { type: "json" };
import { decodeStatus, formatStatus, statusToJson } from "./status.ts";
import { isServiceError } from "./wire/service-error.ts";

const exitCodeHelp = "Exit codes: 0 done, 1 the call failed, 2 wrong usage, 3 the service cannot be reached.";

const commands = [
  listCommand,
  describeCommand,
  callCommand,
  healthCommand,
  breakersCommand,
  psCommand,
  dlqCommand,
  sagaCommand,
  auditCommand,
  eventsCommand,
  policyCommand,
  splitCommand,
  faultCommand,
  tryCommand,
];

/**
 * Runs one command line.
 *
 * @param args without the program's own name
 * @returns how the process should end; never throws
 */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const program = createProgram(io);
  let options: Partial<CommonOptions> = {};
  program.hook("preAction", (_program, command) => {
    options = command.opts<CommonOptions>();
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return report(io, error, options);
  }
}

function createProgram(io: Io): Command {
  const program = new Command("weft")
    .description("The operator's command: asks the services of a mesh, as the operator.")
    .version(manifest.version);
  for (const create of commands) program.addCommand(create(io));
  // Commands made on their own do not inherit these from the program.
  for (const command of withSubcommands(program)) {
    command
      .exitOverride()
      .configureOutput({ writeOut: io.stdout, writeErr: io.stderr })
      .showHelpAfterError(command === program ? "`weft --help` lists the commands" : "--help tells more")
      .addHelpText("after", `\n${exitCodeHelp}`);
  }
  return program;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

function report(io: Io, error: unknown, options: Partial<CommonOptions>): ExitCode {
  const failure = isServiceError(error) ? callFailure(decodeStatus(error), error) : error;
  if (!(failure instanceof CliFailure)) {
    io.stderr(`weft: unexpected: ${failure instanceof Error ? failure.message : String(failure)}\n`);
    io.stderr(
      options.verbose === true ? `${failure instanceof Error ? failure.stack : ""}\n` : "      --verbose shows where\n",
    );
    return exitCodes.callFailed;
  }
  if (options.output === "json") {
    io.stderr(`${JSON.stringify(failure.status === undefined ? plainJson(failure) : statusToJson(failure.status))}\n`);
  } else {
    io.stderr(`${failure.status === undefined ? `weft: ${failure.message}` : formatStatus(failure.status)}\n`);
    if (failure.hint !== undefined) io.stderr(`      ${failure.hint}\n`);
  }
  if (options.verbose === true && failure.stack !== undefined) io.stderr(`${failure.stack}\n`);
  return failure.exitCode;
}

function plainJson(failure: CliFailure) {
  return { message: failure.message, ...(failure.hint !== undefined && { hint: failure.hint }) };
}
