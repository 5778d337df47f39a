import { type Criticality, criticalities } from "../contract/criticality.ts";

/** W3C Baggage travels beside traceparent: a hop that knows nothing of Weft and hands headers on hands it on, too. */
export const baggageHeader = "baggage";

const attemptKey = "weft-attempt";
const criticalityKey = "weft-criticality";
/** The highest that is told apart: an attempt above the first is not repeated further down, whatever its number. */
const attemptMax = 99;
/** W3C's bound of the header; what is beyond it is not read. */
const lengthMax = 8_192;

/** What each hop of a chain of calls knows of the chain above it. */
export interface ChainFacts {
  /** 1 if nobody above has repeated the call that this one is part of, else more. */
  readonly attempt: number;
  /** Undefined if nobody above has said it: this call is the chain's first. */
  readonly criticality: Criticality | undefined;
}

/** Of a call that nobody above says anything of. */
export const firstOfChain: ChainFacts = Object.freeze({ attempt: 1, criticality: undefined });

/**
 * Reads our members of a baggage header. Whatever cannot be understood counts as not said; said twice, the higher attempt and the
 * first criticality count.
 *
 * @see https://www.w3.org/TR/baggage/#baggage-http-header-format
 */
export function parseBaggage(value: string | null | undefined): ChainFacts {
  if (value === null || value === undefined || value === "") return firstOfChain;
  return known.get(value) ?? parseMembers(value.slice(0, lengthMax));
}

function parseMembers(value: string): ChainFacts {
  let attempt = 1;
  let criticality: Criticality | undefined;
  for (const member of value.split(",")) {
    const [key, text] = keyAndValue(member);
    if (key === attemptKey) attempt = Math.max(attempt, attemptOf(text));
    else if (key === criticalityKey) criticality ??= criticalities.find((name) => name === text);
  }
  return { attempt, criticality };
}

/** Properties behind the value (";ttl=5") are nothing to us. */
function keyAndValue(member: string): [key: string, value: string] {
  const equals = member.indexOf("=");
  if (equals < 0) return ["", ""];
  const value = member.slice(equals + 1);
  const semicolon = value.indexOf(";");
  return [member.slice(0, equals).trim(), (semicolon < 0 ? value : value.slice(0, semicolon)).trim()];
}

function attemptOf(text: string): number {
  return /^[0-9]{1,9}$/.test(text) ? Math.min(attemptMax, Math.max(1, Number(text))) : 1;
}

/** Our members as a header's value; undefined if there is nothing to say. */
export function formatBaggage(attempt: number, criticality: Criticality | undefined): string | undefined {
  return attempt > formatted ? written(attempt, criticality) : formats[criticality ?? ""][attempt - 1];
}

function written(attempt: number, criticality: Criticality | undefined): string | undefined {
  const members: string[] = [];
  if (attempt > 1) members.push(`${attemptKey}=${Math.min(attempt, attemptMax)}`);
  if (criticality !== undefined) members.push(`${criticalityKey}=${criticality}`);
  return members.length > 0 ? members.join(",") : undefined;
}

/** A baggage header with our members, as formatBaggage() makes them, behind everybody else's. */
export function withMembers(others: string | null | undefined, own: string): string {
  return others ? `${others},${own}` : own;
}

/** A baggage header without our members; undefined if nothing is left. */
export function withoutMembers(given: string): string | undefined {
  const others = given.split(",").filter((member) => member.trim() !== "" && !isOurs(member));
  return others.length > 0 ? others.join(",") : undefined;
}

function isOurs(member: string): boolean {
  const [key] = keyAndValue(member);
  return key === attemptKey || key === criticalityKey;
}

/** Attempts up to this have their header ready: more than any contract may ask for. */
const formatted = 5;

function formatsOf(criticality: Criticality | undefined): readonly (string | undefined)[] {
  return Array.from({ length: formatted }, (_, index) => written(index + 1, criticality));
}

const formats: Readonly<Record<Criticality | "", readonly (string | undefined)[]>> = {
  "": formatsOf(undefined),
  critical: formatsOf("critical"),
  default: formatsOf("default"),
  sheddable: formatsOf("sheddable"),
};

/** What Weft's own peers send is looked up, not parsed. */
const known: ReadonlyMap<string, ChainFacts> = new Map(
  Object.values(formats)
    .flat()
    .filter((value) => value !== undefined)
    .map((value) => [value, Object.freeze(parseMembers(value))]),
);
