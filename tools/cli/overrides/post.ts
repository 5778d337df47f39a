import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { OverrideSchema } from "@weft/mesh/gen/weft/overrides/v1/override_pb.js";
import type { Override } from "@weft/mesh/overrides";
import { type Command, Option } from "commander";
import { usageFailure } from "../failure.ts";
import { parseDurationMs } from "../moments.ts";
import { withCommonOptions } from "../options.ts";
import type { Io } from "../output.ts";
import { type BoardOptions, openBoard } from "./board.ts";
import { effectText } from "./effect-text.ts";

/** What all commands that post an override are told. */
export interface PostOptions extends BoardOptions {
  from?: string;
  for?: number;
  reason: string;
  end?: boolean;
}

type Effect = NonNullable<MessageInitShape<typeof OverrideSchema>["effect"]>;

/** Longest that an override may hold; a withdrawal outlives whatever it withdraws. */
const validityMaxMs = 7 * 86_400_000;

/** Gives a command the options that say where the board is. */
export function withBoard(command: Command): Command {
  return withCommonOptions(command)
    .addOption(new Option("--nats <url>", "NATS server of the registry (default: the stack's)"))
    .addOption(new Option("--namespace <name>", "in which the services find each other (default: the stack's)"));
}

/** Gives a command the options that every override has. */
export function withPost(command: Command): Command {
  return withBoard(command)
    .option("--from <service>", "only calls that this service makes (default: everybody's)")
    .option("--for <duration>", 'how long it holds, at most "7d": "90s", "30m", "2h"', parseDurationMs)
    .requiredOption("--reason <text>", "what for; every process logs it")
    .option("--end", "withdraw it instead");
}

/** The id of an override: one of a kind for each edge, so that a new one takes the place of the one before. */
export function overrideId(kind: string, target: string, from: string | undefined, ...more: string[]): string {
  return [kind, target, from ?? "any", ...more].join(".");
}

/** Signs and posts an override that changes the calls to a service; prints what holds from now on. */
export async function postOverride(io: Io, id: string, target: string, effect: Effect, options: PostOptions) {
  if (options.for === undefined) throw usageFailure("it needs an end", '--for "30m", or "2h", at most "7d"');
  const expiresAt = timestampFromMs(Date.now() + options.for);
  await using board = await openBoard(io, options);
  const { reason, from: caller = "" } = options;
  const posted = await board.post({ id, target, caller, reason, expiresAt, effect });
  const until = new Date(Date.now() + options.for).toISOString();
  report(io, options, posted, `${id}: ${effectText(posted)}, until ${until}; \`weft policy end ${id}\` ends it`);
}

/** Withdraws overrides by id. */
export async function withdrawOverrides(
  io: Io,
  ids: readonly string[],
  options: Pick<PostOptions, "reason"> & BoardOptions,
) {
  await using board = await openBoard(io, options);
  const there = (await board.list()).filter(({ id, override }) => ids.includes(id) && isEffective(override));
  if (there.length === 0)
    throw usageFailure(`nothing of the kind holds: ${ids.join(", ")}`, "`weft policy list` shows what does");
  const expiresAt = timestampFromMs(Date.now() + validityMaxMs - 1_000);
  for (const { id, override } of there) {
    const { target = "", caller = "" } = override ?? {};
    const effect = { case: "withdrawal", value: {} } as const;
    const posted = await board.post({ id, target, caller, reason: options.reason, expiresAt, effect });
    report(io, options, posted, `${id}: withdrawn`);
  }
}

/** Whether an override has an effect, if it is obeyed. */
export function isEffective(override: Override | undefined): boolean {
  return override !== undefined && override.effect.case !== "withdrawal";
}

function report(io: Io, { output }: BoardOptions, posted: Override, text: string): void {
  const until = posted.expiresAt && new Date(timestampMs(posted.expiresAt)).toISOString();
  io.stdout(
    output === "json" ? `${JSON.stringify({ id: posted.id, effect: effectText(posted), until })}\n` : `${text}\n`,
  );
}
