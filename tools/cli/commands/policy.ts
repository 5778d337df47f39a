import { timestampMs } from "@bufbuild/protobuf/wkt";
import { AdminService } from "@weft/mesh/gen/weft/admin/v1/admin_pb.js";
import { type Override, Transport } from "@weft/mesh/gen/weft/overrides/v1/override_pb.js";
import { Argument, Command } from "commander";
import { type CommonOptions, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import { type BoardOptions, openBoard } from "../overrides/board.ts";
import { effectText } from "../overrides/effect-text.ts";
import {
  isEffective,
  overrideId,
  type PostOptions,
  postOverride,
  withBoard,
  withdrawOverrides,
  withPost,
} from "../overrides/post.ts";
import { callUnary } from "../wire/unary.ts";
import { askServices } from "./ask-services.ts";

const transports = { auto: Transport.AUTO, tunnel: Transport.TUNNEL, grpc: Transport.GRPC } as const;

/** `weft policy` */
export function policyCommand(io: Io): Command {
  const command = new Command("policy").description(
    "what operators have changed of the calls between services, for a while",
  );
  for (const create of [listPolicies, showPolicies, setTransport, endPolicy]) command.addCommand(create(io));
  return command;
}

function listPolicies(io: Io): Command {
  return withBoard(new Command("list"))
    .description("the runtime overrides that there are: transports, splits, faults")
    .option("--all", "those too that have expired or were withdrawn")
    .action(async (options: BoardOptions & { all?: boolean }) => {
      await using board = await openBoard(io, options);
      const posted = (await board.list()).filter(
        ({ override, ignoredBecause = "" }) =>
          options.all || (isEffective(override) && !/^it expired/.test(ignoredBecause)),
      );
      const rows = posted.map(({ id, override, ignoredBecause }) => toRow(id, override, ignoredBecause));
      if (rows.length === 0 && options.output === "text") io.stdout("nothing is overridden\n");
      else printPolicies(io, options, rows);
    });
}

function showPolicies(io: Io): Command {
  return withCommonOptions(new Command("show"))
    .description("what running services make of the overrides: of one, or of all")
    .argument("[service]", "whose calls: order")
    .action(async (service: string | undefined, options: CommonOptions) => {
      const asked = await askServices(io, service, options, async (channel) => {
        const { overrides } = await callUnary(channel, AdminService.method.listOverrides, {});
        return overrides;
      });
      const rows = [...asked.answers].flatMap(([name, overrides]) =>
        overrides.map(({ key, override, ignoredBecause }) => ({
          service: name,
          ...toRow(key.slice(key.indexOf(".") + 1), override, ignoredBecause || undefined),
        })),
      );
      if (rows.length === 0 && options.output === "text") io.stdout("no service obeys an override\n");
      else printRows(io, options.output, rows, { service: (row) => row.service, ...columns });
      asked.failIfUnreachable();
    });
}

function setTransport(io: Io): Command {
  return withPost(new Command("transport"))
    .description("the way that calls to a service take")
    .argument("<service>", "that is called: catalog")
    .addArgument(new Argument("[way]", "the best that there is, or one only").choices(Object.keys(transports)))
    .action(async (service: string, way: keyof typeof transports | undefined, options: PostOptions) => {
      const id = overrideId("transport", service, options.from);
      if (options.end) return await withdrawOverrides(io, [id], options);
      const effect = { case: "transport", value: transports[way ?? "auto"] } as const;
      await postOverride(io, id, service, effect, options);
    });
}

function endPolicy(io: Io): Command {
  return withBoard(new Command("end"))
    .description("withdraws an override")
    .argument("<id>", "as `weft policy list` shows it")
    .requiredOption("--reason <text>", "what for; every process logs it")
    .action(async (id: string, options: BoardOptions & { reason: string }) => {
      await withdrawOverrides(io, [id], options);
    });
}

type Row = ReturnType<typeof toRow>;

function toRow(id: string, override: Override | undefined, ignoredBecause: string | undefined) {
  const { target, caller, author, reason, expiresAt } = override ?? {};
  return {
    id,
    effect: override ? effectText(override) : "unreadable",
    caller: caller || "any",
    target: target ?? "-",
    author: author ?? "-",
    reason: reason ?? "-",
    until: expiresAt ? new Date(timestampMs(expiresAt)).toISOString() : "-",
    ...(ignoredBecause !== undefined && { ignoredBecause }),
  };
}

const columns: Record<string, (row: Row) => string> = {
  id: (row) => row.id,
  effect: (row) => row.effect,
  from: (row) => row.caller,
  to: (row) => row.target,
  until: (row) => row.until,
  author: (row) => row.author,
  reason: (row) => row.reason,
  obeyed: (row) => (row.ignoredBecause === undefined ? "yes" : `no: ${row.ignoredBecause}`),
};

function printPolicies(io: Io, { output }: CommonOptions, rows: readonly Row[]): void {
  printRows(io, output, rows, columns);
}
