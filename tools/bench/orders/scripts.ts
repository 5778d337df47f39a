import type { Unit } from "./recording.ts";
import type { Statement, Value } from "./statements.ts";

/** What is run for one order, in this order. */
export type Script = readonly Unit[];

const ORDER_ID = /\bord_[0-9A-HJKMNP-TV-Z]{28}\b/g;
/** Of an event, of a customer's key: one that stands by itself, not behind a user's or an order's prefix. */
const ULID = /\b[0-9A-HJKMNP-TV-Z]{26}\b/g;
const ID = /\b(?:ord_[0-9A-HJKMNP-TV-Z]{28}|[0-9A-HJKMNP-TV-Z]{26})\b/g;
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** Characters at the end of an id that tell one generation from another; those before stay different within one. */
const GENERATION_LENGTH = 6;

/**
 * Deals what was recorded out to orders: what names an order goes to it, what names several to the last of them, and what names none
 * (an empty poll, a row of the outbox by its number) to the one before it in time.
 */
export function scriptsOf(units: readonly Unit[], orderIds: readonly string[]): Script[] {
  const scripts = new Map(orderIds.map((id) => [id, [] as Unit[]]));
  const positions = new Map(orderIds.map((id, index) => [id, index]));
  const ordersOfEvents = new Map<string, string>();
  let last = orderIds[0] ?? "";
  for (const unit of units) {
    const texts = unit.statements.flatMap(({ values }) => values.filter((value) => typeof value === "string"));
    const named = texts.flatMap((text) => text.match(ORDER_ID) ?? []).filter((id) => scripts.has(id));
    const events = texts.flatMap((text) => text.match(ULID) ?? []);
    const [only] = named;
    if (only !== undefined && named.every((id) => id === only)) {
      for (const event of events) ordersOfEvents.set(event, only);
    }
    const told = events.flatMap((event) => ordersOfEvents.get(event) ?? []);
    const mentioned = [...named, ...told].sort((a, b) => (positions.get(a) ?? 0) - (positions.get(b) ?? 0));
    last = mentioned.at(-1) ?? last;
    scripts.get(last)?.push(unit);
  }
  return [...scripts.values()];
}

/** The same script for another order: its ids are others, all else is as it was. */
export function renewed(script: Script, generation: number): Script {
  const ending = base32(generation).padStart(GENERATION_LENGTH, "0");
  const renew = (value: Value): Value =>
    typeof value === "string" ? value.replaceAll(ID, (id) => `${id.slice(0, -GENERATION_LENGTH)}${ending}`) : value;
  const renewStatement = (statement: Statement): Statement => ({ ...statement, values: statement.values.map(renew) });
  return script.map((unit) => ({ ...unit, statements: unit.statements.map(renewStatement) }));
}

function base32(value: number): string {
  return value < 32 ? (ALPHABET[value] ?? "") : `${base32(Math.floor(value / 32))}${ALPHABET[value % 32]}`;
}
