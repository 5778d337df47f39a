import { endUserHeader, formatEndUser } from "../context/end-user-header.ts";
import type { Criticality } from "../contract/criticality.ts";
import { Criticality as CriticalityNumber } from "../gen/weft/v1/options_pb.ts";
import type { Entries } from "../tunnel/entries.ts";
import type { AnswerMetadata, AttemptedCall } from "./attempt.ts";

/** A call's metadata as a tunnel carries it: everything but its trace's ids and what the chain carries along. */
export function tunnelMetadata({ headers, endUser, trace }: AttemptedCall): Entries | undefined {
  if (headers === undefined && endUser === undefined && trace?.state === undefined) return undefined;
  const entries: string[] = [];
  if (headers !== undefined) for (const [name, value] of new Headers(headers)) entries.push(name, value);
  if (endUser !== undefined) entries.push(endUserHeader, formatEndUser(endUser));
  if (trace?.state !== undefined) entries.push("tracestate", trace.state);
  return entries;
}

/** weft.v1's numbers. */
export const criticalityNumbers: Readonly<Record<Criticality | "", CriticalityNumber>> = {
  "": CriticalityNumber.UNSPECIFIED,
  critical: CriticalityNumber.CRITICAL,
  default: CriticalityNumber.DEFAULT,
  sheddable: CriticalityNumber.SHEDDABLE,
};

/** Metadata of an answer that become Headers when somebody asks. */
export class TunnelMetadata implements AnswerMetadata {
  readonly #header: Entries | undefined;
  readonly #trailer: Entries | undefined;

  constructor(header: Entries | undefined, trailer: Entries | undefined) {
    this.#header = header;
    this.#trailer = trailer;
  }
  get header(): Headers {
    return toHeaders(this.#header);
  }
  get trailer(): Headers {
    return toHeaders(this.#trailer);
  }
}

function toHeaders(entries: Entries = []): Headers {
  const headers = new Headers();
  for (let index = 0; index < entries.length; index += 2)
    headers.append(entries[index] ?? "", entries[index + 1] ?? "");
  return headers;
}
