import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Command, InvalidArgumentError } from "commander";
import { parseMoment } from "../moments.ts";
import type { CommonOptions } from "../options.ts";

/** Which letters, as typed. */
export interface FilterOptions extends CommonOptions {
  subject?: string;
  since?: Date;
  cause?: string;
  limit?: number;
}

/** What to do about a call that failed for one of these reasons. */
export const hintsOf = (service: string) => ({
  LETTER_GONE: `\`weft dlq list ${service}\` shows those that are there`,
  UNIMPLEMENTED: `${service} has no dead letters: it consumes no events that must not be lost`,
  BROKER_UNAVAILABLE: "letters are kept in NATS: `weft health` and the logs tell whether it is back",
});

export function withFilter(command: Command): Command {
  return command
    .option(
      "--subject <subject>",
      'of this subject: "shop.order.v1.OrderPaid", or "shop.order.>" for all that begin so',
    )
    .option("--since <moment>", 'given up since then: "2026-11-22T09:00:00Z", or how long ago: "2h"', parseMoment)
    .option("--cause <text>", "whose cause has this in it");
}

export function toFilter({ subject, since, cause }: FilterOptions) {
  return { ...(subject && { subject }), ...(since && { since: timestampFromDate(since) }), ...(cause && { cause }) };
}

export function parseLetterId(value: string): bigint {
  if (!/^[1-9]\d{0,18}$/.test(value)) throw new InvalidArgumentError("A letter is named by its number.");
  return BigInt(value);
}

/** A cause in a table is cut here; `weft dlq show` has all of it. */
const causeLengthMax = 90;

export function cut(text: string): string {
  return text.length > causeLengthMax ? `${text.slice(0, causeLengthMax - 1)}…` : text;
}
