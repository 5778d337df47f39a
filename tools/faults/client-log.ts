import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

/** What a client asks for. */
export type OperationKind = "placeOrder" | "cancelOrder" | "setCartItem" | "readProduct" | "changePrice";

/** One operation as its client saw it. */
export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  /** The idempotency key, the same at each attempt; empty where the method has none. */
  readonly key: string;
  readonly userId: string;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  /** When the client had its answer or gave up; left out while it waits. */
  readonly endedMs?: number;
  /** `unknown`: no answer ever came, or none that says whether it happened. */
  readonly outcome: "ok" | "refused" | "unknown";
  readonly orderId?: string;
  /** The order's state in the answer: "CONFIRMED". */
  readonly state?: string;
  /** Of the last error: "unavailable". */
  readonly code?: string;
  /** How often it was sent. */
  readonly attempts?: number;
  /** The cell of the schedule that it belongs to: "kill-order/1". */
  readonly fault?: string;
}

/** An operation that waits for its answer. */
export interface OpenOperation {
  end(result: Omit<Operation, "id" | "kind" | "key" | "userId" | "startedMs" | "endedMs" | "fault">): void;
}

/** What clients have asked and heard, in memory and as JSON lines. */
export interface ClientLog extends Disposable {
  begin(operation: Pick<Operation, "id" | "kind" | "key" | "userId"> & { readonly orderId?: string }): OpenOperation;
  /** In the order in which they began. One that waits is `unknown` and has no `endedMs`. */
  operations(): readonly Operation[];
  inFlight(): number;
  /** What operations that begin from now on are marked with. */
  mark(fault: string): void;
}

/** Opens a log. A line is written when an operation begins and another when it ends: the last line of an id counts. */
export function createClientLog(file: string, now: () => number = Date.now): ClientLog {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, "a");
  const known = new Map<string, Operation>();
  let waiting = 0;
  let fault = "";
  const write = (operation: Operation): void => {
    known.set(operation.id, operation);
    appendFileSync(descriptor, `${JSON.stringify(operation)}\n`);
  };
  return {
    begin(operation) {
      const begun: Operation = { ...operation, startedMs: now(), outcome: "unknown", fault };
      write(begun);
      waiting += 1;
      return {
        end(result) {
          waiting -= 1;
          write({ ...begun, ...result, endedMs: now() });
        },
      };
    },
    operations: () => [...known.values()],
    inFlight: () => waiting,
    mark(name) {
      fault = name;
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}

/** The operations of a log that was written before. */
export function readClientLog(file: string): Operation[] {
  const known = new Map<string, Operation>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (line === "") continue;
    const operation = JSON.parse(line) as Operation;
    known.set(operation.id, operation);
  }
  return [...known.values()];
}
