import type { Fault, Faults } from "./faults.ts";
import { Refusal } from "./http.ts";
import type { Authorization, Ledger, LedgerEntry, LedgerRecord } from "./ledger.ts";

/** What can be made to go wrong at the provider. */
export const FAULT_KINDS = ["decline", "delay", "lost_reply", "error"] as const;
export const OPERATIONS = ["authorize", "capture", "void", "refund"] as const;
export type ProviderFault = Fault<(typeof FAULT_KINDS)[number], Operation>;
export type ProviderFaults = Faults<ProviderFault["kind"], Operation>;
type Operation = (typeof OPERATIONS)[number];

/** Past it the provider takes no more requests: it keeps every record in memory. */
export const RECORD_COUNT_MAX = 100_000;
const SLOW_MS = 10_000;

export interface AuthorizeInput {
  /** Integer minor units. */
  readonly amount: number;
  readonly currency: string;
  readonly payment_method: string;
  readonly reference: string;
}

export interface ProviderAnswer {
  readonly status: number;
  readonly body: unknown;
  /** The key had been used before for the same request: nothing was done again. */
  readonly replayed: boolean;
  /** Done and written down, but the reply is to be lost on its way. */
  readonly lost: boolean;
}

export interface ProviderDeps {
  readonly ledger: Ledger;
  readonly faults: ProviderFaults;
  readonly now: () => Date;
  readonly pause: (ms: number) => Promise<unknown>;
  /** A new authorization's id. */
  readonly newId: () => string;
}

/** A sandbox of a card payment provider: what happens to money, apart from how it is asked. */
export interface Provider {
  authorize(key: string, input: AuthorizeInput): Promise<ProviderAnswer>;
  capture(key: string, id: string): Promise<ProviderAnswer>;
  void(key: string, id: string): Promise<ProviderAnswer>;
  /** Gives all that was captured back. */
  refund(key: string, id: string): Promise<ProviderAnswer>;
  /** The authorization made under this key; `processing` while the request that carried the key is not decided. */
  findByKey(key: string): (Authorization | { readonly status: "processing" }) | undefined;
  find(id: string): Authorization | undefined;
  entries(): readonly LedgerEntry[];
  /** Takes over what another sandbox has kept, in that order, except for keys that are known here; answers with how many it has taken. */
  takeOver(records: readonly LedgerRecord[]): number;
}

/** What a request turns out to do. */
interface Outcome {
  readonly status: number;
  readonly body: unknown;
  readonly authorization: Authorization;
  readonly entry: LedgerEntry["type"] | undefined;
}

/**
 * One record a key, as with Stripe: the same request under the same key gets the same answer, another request a refusal. A
 * request that comes while an earlier one with its key is not decided waits for that one's answer.
 */
export function createProvider(deps: ProviderDeps): Provider {
  const { ledger, faults } = deps;
  const recordByKey = new Map<string, LedgerRecord>();
  const authorizations = new Map<string, Authorization>();
  const undecided = new Map<string, { fingerprint: string; outcome: Promise<LedgerRecord> }>();
  let seq = 0;
  const remember = (record: LedgerRecord): void => {
    recordByKey.set(record.key, record);
    authorizations.set(record.authorization.id, record.authorization);
    if (record.entry) seq = record.entry.seq;
  };
  for (const record of ledger.records) remember(record);

  const assertRoom = (count: number): void => {
    if (recordByKey.size + count <= RECORD_COUNT_MAX) return;
    const message = `the sandbox keeps ${RECORD_COUNT_MAX} requests: start it with a new ledger`;
    throw new Refusal(503, "ledger_full", message);
  };

  const decide = (key: string, fingerprint: string, outcome: Outcome): LedgerRecord => {
    const { status, body, authorization, entry: type } = outcome;
    const { id, reference, amount, currency } = authorization;
    const moved = { reference, amount, currency, idempotency_key: key };
    const entry = type && { seq: seq + 1, at: deps.now().toISOString(), type, authorization_id: id, ...moved };
    const record = { key, fingerprint, status, body, authorization, ...(entry ? { entry } : {}) };
    ledger.append(record);
    remember(record);
    return record;
  };

  const perform = async (
    operation: Operation,
    key: string,
    request: unknown,
    work: (declined: boolean) => Promise<Outcome>,
  ): Promise<ProviderAnswer> => {
    const fingerprint = JSON.stringify([operation, request]);
    const earlier = recordByKey.get(key) ?? undecided.get(key);
    if (earlier && earlier.fingerprint !== fingerprint) {
      throw new Refusal(409, "idempotency_key_reused", "this Idempotency-Key was used for another request");
    }
    const fault = faults.take(operation);
    if (fault?.kind === "error") throw new Refusal(500, "internal", "a fault that was asked for");
    if (!earlier) assertRoom(1);
    const delayMs = fault?.kind === "delay" ? (fault.delay_ms ?? SLOW_MS) : 0;
    const once = async (): Promise<LedgerRecord> => {
      if (delayMs > 0) await deps.pause(delayMs);
      return decide(key, fingerprint, await work(fault?.kind === "decline"));
    };
    let record = recordByKey.get(key);
    if (record === undefined) {
      let running = undecided.get(key);
      if (running === undefined) {
        running = { fingerprint, outcome: once().finally(() => undecided.delete(key)) };
        undecided.set(key, running);
      }
      record = await running.outcome;
    } else if (delayMs > 0) await deps.pause(delayMs);
    return {
      status: record.status,
      body: record.body,
      replayed: earlier !== undefined,
      lost: fault?.kind === "lost_reply",
    };
  };

  const inState = (id: string, state: Authorization["status"], operation: Operation): Authorization => {
    const authorization = authorizations.get(id);
    if (authorization === undefined) throw new Refusal(404, "not_found", `no authorization "${id}"`);
    if (authorization.status === state) return authorization;
    throw new Refusal(409, "invalid_state", `cannot ${operation} an authorization that is ${authorization.status}`);
  };

  return {
    authorize: (key, input) =>
      perform("authorize", key, canonical(input), async (declined) => {
        if (input.payment_method === "tok_slow") await deps.pause(SLOW_MS);
        return authorized(deps.newId(), input, declined);
      }),
    capture: (key, id) =>
      perform("capture", key, id, async (declined) => captured(inState(id, "authorized", "capture"), declined)),
    void: (key, id) =>
      perform("void", key, id, async (declined) => voided(inState(id, "authorized", "void"), declined)),
    refund: (key, id) =>
      perform("refund", key, id, async (declined) => refunded(inState(id, "captured", "refund"), declined)),
    findByKey: (key) => {
      const record = recordByKey.get(key);
      if (record) return authorizations.get(record.authorization.id);
      return undecided.has(key) ? { status: "processing" } : undefined;
    },
    find: (id) => authorizations.get(id),
    entries: () => ledger.records.flatMap((record) => record.entry ?? []),
    takeOver(records) {
      const news = records.filter(({ key }) => !recordByKey.has(key) && !undecided.has(key));
      assertRoom(news.length);
      for (const { entry, ...record } of news) {
        const renumbered = entry === undefined ? record : { ...record, entry: { ...entry, seq: seq + 1 } };
        ledger.append(renumbered);
        remember(renumbered);
      }
      return news.length;
    },
  };
}

function canonical({ amount, currency, payment_method, reference }: AuthorizeInput): unknown {
  return [amount, currency, payment_method, reference];
}

function authorized(id: string, input: AuthorizeInput, declined: boolean): Outcome {
  if (declined || input.payment_method === "tok_declined") {
    const decline_reason = "insufficient_funds";
    const authorization: Authorization = { id, status: "declined", decline_reason, ...input };
    return { status: 402, body: { id, status: "declined", decline_reason }, authorization, entry: undefined };
  }
  const authorization: Authorization = { id, status: "authorized", ...input };
  return { status: 200, body: { id, status: "authorized" }, authorization, entry: "authorize" };
}

function captured(authorization: Authorization, declined: boolean): Outcome {
  const { id } = authorization;
  if (declined || authorization.payment_method === "tok_capture_fails") {
    const body = { id, status: "capture_failed", decline_reason: "authorization_expired" };
    return { status: 402, body, authorization, entry: undefined };
  }
  return moved({ ...authorization, status: "captured" }, "capture");
}

function voided(authorization: Authorization, declined: boolean): Outcome {
  if (!declined) return moved({ ...authorization, status: "voided" }, "void");
  const body = { id: authorization.id, status: "void_failed", decline_reason: "processing_error" };
  return { status: 402, body, authorization, entry: undefined };
}

function refunded(authorization: Authorization, declined: boolean): Outcome {
  if (!declined) return moved({ ...authorization, status: "refunded" }, "refund");
  const body = { id: authorization.id, status: "refund_failed", decline_reason: "processing_error" };
  return { status: 402, body, authorization, entry: undefined };
}

function moved(authorization: Authorization, entry: LedgerEntry["type"]): Outcome {
  const { id, status } = authorization;
  return { status: 200, body: { id, status }, authorization, entry };
}
