import { Refusal } from "./http.ts";

/** Something that is to go wrong at an outside party. Which kinds and operations there are is the party's. */
export interface Fault<Kind extends string, Operation extends string> {
  readonly kind: Kind;
  readonly operation: Operation;
  /** How many requests of this operation it still hits. */
  readonly count: number;
  /** For `delay`; 10,000 if left out. */
  readonly delay_ms?: number;
}

export const FAULT_COUNT_MAX = 1_000;

/** Faults waiting for their requests, first in, first used. */
export interface Faults<Kind extends string, Operation extends string> {
  add(fault: Fault<Kind, Operation>): void;
  /** The fault that hits the next request of this operation, used up by it. */
  take(operation: Operation): Fault<Kind, Operation> | undefined;
  list(): readonly Fault<Kind, Operation>[];
  clear(): void;
}

export function createFaults<Kind extends string, Operation extends string>(): Faults<Kind, Operation> {
  let waiting: Fault<Kind, Operation>[] = [];
  return {
    add(fault) {
      waiting = [...waiting, fault].slice(-FAULT_COUNT_MAX);
    },
    take(operation) {
      const index = waiting.findIndex((fault) => fault.operation === operation);
      const fault = waiting[index];
      if (fault === undefined) return undefined;
      waiting =
        fault.count > 1 ? waiting.with(index, { ...fault, count: fault.count - 1 }) : waiting.toSpliced(index, 1);
      return fault;
    },
    list: () => waiting,
    clear() {
      waiting = [];
    },
  };
}

/** A fault as somebody asks for it in JSON. @throws Refusal naming the field */
export function faultOf<Kind extends string, Operation extends string>(
  body: unknown,
  { kinds, operations }: { readonly kinds: readonly Kind[]; readonly operations: readonly Operation[] },
): Fault<Kind, Operation> {
  const { kind: asked, operation: of, count = 1, delay_ms } = recordOf(body);
  const kind = kinds.find((known) => known === asked);
  if (kind === undefined) throw invalid("kind", `one of ${kinds.join(", ")}`);
  const operation = operations.find((known) => known === of);
  if (operation === undefined) throw invalid("operation", `one of ${operations.join(", ")}`);
  const whole = (value: unknown, max: number): value is number =>
    typeof value === "number" && Number.isInteger(value) && value > 0 && value <= max;
  if (!whole(count, FAULT_COUNT_MAX)) throw invalid("count", `an integer from 1 to ${FAULT_COUNT_MAX}`);
  if (delay_ms !== undefined && !whole(delay_ms, 600_000)) throw invalid("delay_ms", "an integer from 1 to 600000");
  const fault = { kind, operation, count };
  return delay_ms === undefined ? fault : { ...fault, delay_ms };
}

/** The fields of a JSON object. @throws Refusal if it is none */
export function recordOf(body: unknown): Record<string, unknown> {
  if (typeof body === "object" && body !== null) return body as Record<string, unknown>;
  throw new Refusal(400, "invalid_request", "the body must be a JSON object");
}

/** The answer to a field that is not as it must be. Does not repeat its value. */
export function invalid(field: string, expected: string): Refusal {
  return new Refusal(400, "invalid_request", `${field} must be ${expected}`);
}
