import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type DeadLetter,
  DeadLetterService,
  type ListDeadLettersResponse,
} from "@weft/mesh/gen/weft/admin/v1/dead_letters_pb.js";
import { Command } from "commander";
import { connect } from "../connect.ts";
import { type CommonOptions, parseCount, withCommonOptions } from "../options.ts";
import { type Io, printRows } from "../output.ts";
import type { Channel } from "../wire/channel.ts";
import { callUnary } from "../wire/unary.ts";
import { askServices, withHints } from "./ask-services.ts";
import { discardLetters, redriveLetters } from "./dlq-actions.ts";
import { formatLetter, letterToJson } from "./dlq-letter.ts";
import { cut, type FilterOptions, hintsOf, parseLetterId, toFilter, withFilter } from "./dlq-options.ts";

const listLimitDefault = 50;
const listLimitMax = 10_000;
const pageSizeMax = 500;
/** From this part on the stream of dead letters is worth a warning. */
const nearlyFull = 0.8;
const listTimeoutMs = 10_000;

/** `weft dlq` */
export function dlqCommand(io: Io): Command {
  const command = new Command("dlq").description("dead letters: the events that a service could not handle");
  for (const create of [listLetters, showLetter, redriveLetters, discardLetters]) command.addCommand(create(io));
  return command;
}

function listLetters(io: Io): Command {
  return withFilter(withCommonOptions(new Command("list")))
    .description("the dead letters of a service, or of all, oldest first")
    .argument("[service]", "name on the mesh: order")
    .option("--limit <count>", "letters of each service at most", parseCount(listLimitMax), listLimitDefault)
    .action(async (service: string | undefined, options: FilterOptions) => {
      const ask = (channel: Channel) => listAll(channel, options);
      const listed = await withHints(hintsOf(service ?? ""), () => askServices(io, service, options, ask));
      const rows = [...listed.answers].flatMap(([name, { letters }]) => letters.map((letter) => ({ name, letter })));
      if (options.output === "json") {
        const all = rows.map(({ name, letter }) => ({ service: name, ...letterToJson(letter) }));
        io.stdout(`${JSON.stringify(all, null, 2)}\n`);
      } else if (rows.length === 0) io.stdout("no dead letters\n");
      else {
        printRows(io, "text", rows, {
          service: ({ name }) => name,
          letter: ({ letter }) => String(letter.letterId),
          "given up": ({ letter }) => timeOf(letter),
          subject: ({ letter }) => letter.subject,
          tries: ({ letter }) => String(letter.deliveries),
          trace: ({ letter }) => letter.traceId || "-",
          cause: ({ letter }) => cut(letter.cause),
        });
      }
      warn(io, listed.answers);
      listed.failIfUnreachable();
    });
}

function showLetter(io: Io): Command {
  return withCommonOptions(new Command("show"))
    .description("one dead letter with its cause, trace, headers and decoded body")
    .argument("<service>", "name on the mesh: order")
    .argument("<letter>", "its number, as `weft dlq list` shows it", parseLetterId)
    .action(async (service: string, letterId: bigint, options: CommonOptions) => {
      using channel = await connect(io, service, options);
      const found = await withHints(hintsOf(service), () =>
        callUnary(channel, DeadLetterService.method.getDeadLetter, { letterId }, listTimeoutMs),
      );
      io.stdout(formatLetter(service, found, options.output));
    });
}

/** Page after page, up to the limit. */
async function listAll(channel: Channel, options: FilterOptions): Promise<ListDeadLettersResponse> {
  const limit = options.limit ?? listLimitDefault;
  const ask = (pageToken: string, pageSize: number) =>
    callUnary(
      channel,
      DeadLetterService.method.listDeadLetters,
      { filter: toFilter(options), pageToken, pageSize: Math.min(pageSize, pageSizeMax) },
      listTimeoutMs,
    );
  const all = await ask("", limit);
  while (all.nextPageToken !== "" && all.letters.length < limit) {
    const page = await ask(all.nextPageToken, limit - all.letters.length);
    all.letters.push(...page.letters);
    all.nextPageToken = page.nextPageToken;
  }
  return all;
}

/** What a reader of the list should know beside it: that it is cut, and that the stream is nearly full. */
function warn(io: Io, answers: ReadonlyMap<string, ListDeadLettersResponse>): void {
  let used = 0;
  for (const [service, { letters, nextPageToken, total, streamBytes, streamBytesMax }] of answers) {
    if (nextPageToken !== "")
      io.stderr(`weft: ${letters.length} of ${service}'s ${total} letters; --limit shows more\n`);
    if (streamBytesMax > 0n) used = Math.max(used, Number(streamBytes) / Number(streamBytesMax));
  }
  if (used >= nearlyFull) {
    io.stderr(
      `weft: the stream of dead letters is ${Math.floor(used * 100)} % full; when it is full, events stay with their consumers\n`,
    );
    io.stderr("      redrive or discard some\n");
  }
}

function timeOf({ givenUpAt }: DeadLetter): string {
  return givenUpAt === undefined ? "-" : timestampDate(givenUpAt).toISOString();
}
