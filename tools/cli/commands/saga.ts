import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Saga, SagaService, type SagaStep } from "@weft/mesh/gen/weft/admin/v1/sagas_pb.js";
import { Command } from "commander";
import { connect } from "../connect.ts";
import { type CommonOptions, parseCount, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import type { Channel } from "../wire/channel.ts";
import { callUnary } from "../wire/unary.ts";
import { askServices, withHints } from "./ask-services.ts";

interface ListOptions extends CommonOptions {
  all?: boolean;
  limit?: number;
}

const limitDefault = 50;
const limitMax = 10_000;
const pageSizeMax = 500;
/** As long as the contract lets a call take. */
const timeoutMs = 10_000;

const hintsOf = (service: string) => ({
  SAGA_NOT_FOUND: `\`weft saga list ${service} --all\` shows those that are unfinished`,
  UNIMPLEMENTED: `${service} has no sagas`,
});

/** `weft saga` */
export function sagaCommand(io: Io): Command {
  const command = new Command("saga").description("work of several steps that services drive on: checkouts, payments");
  for (const create of [listSagas, showSaga, retrySaga, compensateSaga]) command.addCommand(create(io));
  return command;
}

function listSagas(io: Io): Command {
  return withCommonOptions(new Command("list"))
    .description("sagas that are stuck, of a service or of all, those longest without progress first")
    .argument("[service]", "name on the mesh: order")
    .option("--all", "not only those that are stuck, but all that are unfinished")
    .option("--limit <count>", "sagas of each service at most", parseCount(limitMax), limitDefault)
    .action(async (service: string | undefined, options: ListOptions) => {
      const listed = await withHints(hintsOf(service ?? ""), () =>
        askServices(io, service, options, (channel, name) => listAll(io, channel, name, options)),
      );
      const rows = [...listed.answers].flatMap(([name, sagas]) => sagas.map((saga) => toRow(name, saga)));
      if (rows.length === 0 && options.output === "text") {
        io.stdout(options.all ? "no saga is unfinished\n" : "no saga is stuck\n");
      } else printSagas(io, options, rows);
      listed.failIfUnreachable();
    });
}

function showSaga(io: Io): Command {
  return withSaga(withCommonOptions(new Command("show")))
    .description("one saga, finished or not, with the steps that it has taken")
    .action(async (service: string, sagaId: string, options: CommonOptions) => {
      using channel = await connect(io, service, options);
      const { saga, steps } = await withHints(hintsOf(service), () =>
        callUnary(channel, SagaService.method.getSaga, { sagaId }, timeoutMs),
      );
      const row = saga && toRow(service, saga);
      if (options.output === "json") {
        io.stdout(`${JSON.stringify({ ...row, steps: steps.map(toStep) }, null, 2)}\n`);
        return;
      }
      if (row) for (const [name, value] of Object.entries(row)) io.stdout(`${name.padEnd(12)}  ${value || "-"}\n`);
      io.stdout("\n");
      printRows(io, "text", steps.map(toStep), {
        taken: (step) => step.takenAt,
        step: (step) => step.name,
        detail: (step) => step.detail,
      });
    });
}

function retrySaga(io: Io): Command {
  return withSaga(withCommonOptions(new Command("retry")))
    .description("have the next step of a saga tried now; safe to repeat, each step takes effect once")
    .action(async (service: string, sagaId: string, options: CommonOptions) => {
      using channel = await connect(io, service, options);
      const { saga } = await withHints(hintsOf(service), () =>
        callUnary(channel, SagaService.method.retrySaga, { sagaId }, timeoutMs),
      );
      if (saga) printSagas(io, options, [toRow(service, saga)]);
      if (options.output === "text")
        io.stdout(`it is due; \`weft saga show ${service} ${sagaId}\` tells what became of it\n`);
    });
}

function compensateSaga(io: Io): Command {
  return withSaga(withCommonOptions(new Command("compensate")))
    .description("give a saga up and undo what it has done, so far as that can still be")
    .requiredOption("--reason <text>", "why, for the audit")
    .action(async (service: string, sagaId: string, options: CommonOptions & { reason: string }) => {
      using channel = await connect(io, service, options);
      const request = { sagaId, reason: options.reason };
      const { saga } = await withHints(hintsOf(service), () =>
        callUnary(channel, SagaService.method.compensateSaga, request, timeoutMs),
      );
      if (saga) printSagas(io, options, [toRow(service, saga)]);
    });
}

function withSaga(command: Command): Command {
  return command.argument("<service>", "name on the mesh: order").argument("<saga>", "its id: ord_...");
}

/** Page after page, up to the limit. */
async function listAll(io: Io, channel: Channel, service: string, options: ListOptions): Promise<Saga[]> {
  const { all = false, limit = limitDefault } = options;
  const sagas: Saga[] = [];
  let pageToken = "";
  do {
    const request = { all, pageToken, pageSize: Math.min(limit - sagas.length, pageSizeMax) };
    const page = await callUnary(channel, SagaService.method.listSagas, request, timeoutMs);
    sagas.push(...page.sagas);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && sagas.length < limit);
  if (pageToken !== "") io.stderr(`weft: ${service} has more than ${sagas.length}; --limit shows more\n`);
  return sagas;
}

function printSagas(io: Io, options: CommonOptions, rows: readonly ReturnType<typeof toRow>[]): void {
  printRows(io, options.output, rows, {
    service: (row) => row.service,
    saga: (row) => row.sagaId,
    kind: (row) => row.kind,
    state: (row) => row.state,
    next: (row) => row.nextStep || "-",
    tries: (row) => String(row.attempts),
    "no progress since": (row) => row.changedAt || "-",
    due: (row) => row.dueAt || "-",
    stuck: (row) => row.stuckBecause || "-",
    "last error": (row) => row.lastError || "-",
  });
}

function toRow(service: string, saga: Saga) {
  const { sagaId, kind, state, nextStep, attempts, changedAt, dueAt, leaseOwner, stuckBecause, traceId } = saga;
  const { failures, lastError } = saga;
  return {
    ...{ service, sagaId, kind, state, nextStep, attempts, stuckBecause, leaseOwner, traceId, failures, lastError },
    changedAt: changedAt ? timestampDate(changedAt).toISOString() : "",
    dueAt: dueAt ? timestampDate(dueAt).toISOString() : "",
  };
}

function toStep({ takenAt, name, detail }: SagaStep) {
  return { takenAt: takenAt ? timestampDate(takenAt).toISOString() : "-", name, detail };
}
