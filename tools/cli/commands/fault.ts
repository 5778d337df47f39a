import type { MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { FaultSchema } from "@weft/mesh/gen/weft/overrides/v1/override_pb.js";
import { Command, InvalidArgumentError } from "commander";
import { usageFailure } from "../failure.ts";
import { parseCount, parseTimeoutMs } from "../options.ts";
import type { Io } from "../output.ts";
import { openBoard } from "../overrides/board.ts";
import {
  isEffective,
  overrideId,
  type PostOptions,
  postOverride,
  withdrawOverrides,
  withPost,
} from "../overrides/post.ts";

interface FaultOptions extends PostOptions {
  delay?: number;
  abort?: number;
  blackhole?: boolean;
  method?: string;
  percent: number;
}

type FaultInit = MessageInitShape<typeof FaultSchema>;

/** `weft fault SERVICE --delay|--abort|--blackhole` */
export function faultCommand(io: Io): Command {
  return withPost(new Command("fault"))
    .description("makes calls to a service go wrong, in processes that were started with WEFT_FAULTS_ALLOWED=true")
    .argument("<service>", "that is called: catalog")
    .option("--delay <time>", 'they are sent so much later: "300ms", "2s"', parseTimeoutMs)
    .option("--abort <code>", "they fail with this gRPC code: UNAVAILABLE", parseCode)
    .option("--blackhole", "they are never answered")
    .option("--method <method>", 'only this one: "shop.catalog.v1.CatalogService/GetProduct" (default: all)')
    .option("--percent <percent>", "of a hundred calls", parseCount(100), 100)
    .action(async (service: string, options: FaultOptions) => {
      if (options.end) return await endFaults(io, service, options);
      const kind = kindOf(options);
      const { method = "", percent: percentage } = options;
      const id = overrideId("fault", service, options.from, kind.case ?? "", ...(method === "" ? [] : [method]));
      await postOverride(io, id, service, { case: "fault", value: { method, percentage, kind } }, options);
    });
}

/** All of the edge, whatever their kind. */
async function endFaults(io: Io, service: string, options: FaultOptions): Promise<void> {
  const prefix = `${overrideId("fault", service, options.from)}.`;
  const there = await listIds(io, options);
  const ids = there.filter((id) => id.startsWith(prefix));
  await withdrawOverrides(io, ids.length > 0 ? ids : [`${prefix}*`], options);
}

async function listIds(io: Io, options: FaultOptions): Promise<string[]> {
  await using board = await openBoard(io, options);
  return (await board.list()).filter(({ override }) => isEffective(override)).map(({ id }) => id);
}

function kindOf({ delay, abort, blackhole }: FaultOptions): NonNullable<FaultInit["kind"]> {
  if ([delay, abort, blackhole].filter((given) => given !== undefined).length !== 1) {
    throw usageFailure("it needs one thing that goes wrong", "--delay 300ms, --abort UNAVAILABLE or --blackhole");
  }
  if (abort !== undefined) return { case: "abortCode", value: abort };
  if (delay === undefined) return { case: "blackhole", value: {} };
  const nanos = Math.round((delay % 1_000) * 1e6);
  return { case: "delay", value: { seconds: BigInt(Math.trunc(delay / 1_000)), nanos } };
}

function parseCode(text: string): number {
  const code = status[text.toUpperCase() as keyof typeof status];
  if (typeof code !== "number" || code === status.OK) {
    throw new InvalidArgumentError("Write a gRPC code: UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, ...");
  }
  return code;
}
