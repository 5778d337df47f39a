import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A movement of money, or of a hold on it. */
export interface LedgerEntry {
  readonly seq: number;
  /** ISO 8601. */
  readonly at: string;
  readonly type: "authorize" | "capture" | "void" | "refund";
  readonly authorization_id: string;
  readonly reference: string;
  /** Integer minor units. */
  readonly amount: number;
  readonly currency: string;
  readonly idempotency_key: string;
}

/** One authorization as the provider keeps it. */
export interface Authorization {
  readonly id: string;
  readonly status: "authorized" | "declined" | "captured" | "voided" | "refunded";
  readonly reference: string;
  readonly amount: number;
  readonly currency: string;
  readonly payment_method: string;
  readonly decline_reason?: string;
}

/** What one request did: its answer under its key, and the movement, if there was one. Written as one line. */
export interface LedgerRecord {
  readonly key: string;
  readonly fingerprint: string;
  readonly status: number;
  readonly body: unknown;
  readonly authorization: Authorization;
  readonly entry?: LedgerEntry;
}

/** An append-only file of JSON lines. A line is written before its answer is sent, so that a killed process forgets nothing. */
export interface Ledger extends Disposable {
  /** In the order in which they were written. */
  readonly records: readonly LedgerRecord[];
  append(record: LedgerRecord): void;
}

/** Opens the ledger, with what earlier processes wrote; half a line at the end (a crash of the machine) is cut off. */
export function openLedger(file: string): Ledger {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, "a");
  const text = readFileSync(file, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) truncateSync(file, Buffer.byteLength(whole));
  const records = whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LedgerRecord);
  return {
    records,
    append(record) {
      writeSync(descriptor, `${JSON.stringify(record)}\n`);
      records.push(record);
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}
