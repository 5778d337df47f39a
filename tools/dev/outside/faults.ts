/** What can be made to go wrong at the provider. */
export type FaultKind = "decline" | "delay" | "lost_reply" | "error";
export type Operation = "authorize" | "capture" | "void" | "refund";

export interface Fault {
  readonly kind: FaultKind;
  readonly operation: Operation;
  /** How many requests of this operation it still hits. */
  readonly count: number;
  /** For `delay`; 10,000 if left out. */
  readonly delay_ms?: number;
}

export const FAULT_COUNT_MAX = 1_000;

/** Faults waiting for their requests, first in, first used. */
export interface Faults {
  add(fault: Fault): void;
  /** The fault that hits the next request of this operation, used up by it. */
  take(operation: Operation): Fault | undefined;
  list(): readonly Fault[];
  clear(): void;
}

export function createFaults(): Faults {
  let waiting: Fault[] = [];
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
