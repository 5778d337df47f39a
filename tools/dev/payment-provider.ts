import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { createFaults, faultOf, invalid, recordOf } from "./outside/faults.ts";
import { type HttpAnswer, type HttpRequest, type HttpServer, parseJson, Refusal, serveHttp } from "./outside/http.ts";
import { type LedgerRecord, openLedger } from "./outside/ledger.ts";
import {
  type AuthorizeInput,
  createProvider,
  FAULT_KINDS,
  OPERATIONS,
  type Provider,
  type ProviderAnswer,
  type ProviderFaults,
} from "./outside/provider.ts";
import { portFrom, runOutsideParty } from "./outside/run.ts";

export interface PaymentProviderOptions {
  /** 0 for a free one. */
  readonly port: number;
  /** What callers send as `Authorization: Bearer <key>`. */
  readonly key: string;
  /** Kept over restarts. */
  readonly ledgerFile: string;
  readonly pause?: (ms: number) => Promise<unknown>;
}

const BODY_BYTES_MAX = 64 * 1024;
const KEY_LENGTH_MAX = 255;
const METHODS: readonly string[] = ["tok_visa", "tok_declined", "tok_slow", "tok_capture_fails"];

/** The sandbox payment provider: HTTP and JSON, with idempotency keys and errors in Stripe's manner. */
export async function startPaymentProvider(options: PaymentProviderOptions): Promise<HttpServer> {
  const ledger = openLedger(options.ledgerFile);
  const faults: ProviderFaults = createFaults();
  const provider = createProvider({
    ledger,
    faults,
    now: () => new Date(),
    pause: options.pause ?? ((ms) => pause(ms)),
    newId: () => `auth_${randomUUID().replaceAll("-", "")}`,
  });
  const routes: Record<string, (request: HttpRequest) => HttpAnswer> = {
    "GET /v1/ledger": () => ok({ entries: provider.entries() }),
    // A shop with a past has a provider that remembers it.
    "POST /v1/ledger": (request) => ok({ taken: provider.takeOver(recordsOf(parseJson(request.body))) }),
    "GET /v1/authorizations": (request) => ok({ data: found(provider, request.query.get("idempotency_key")) }),
    "GET /v1/faults": () => ok({ faults: faults.list() }),
    "POST /v1/faults": (request) => {
      faults.add(faultOf(parseJson(request.body), { kinds: FAULT_KINDS, operations: OPERATIONS }));
      return ok({ faults: faults.list() });
    },
    "DELETE /v1/faults": () => {
      faults.clear();
      return ok({ faults: [] });
    },
  };
  const server = await serveHttp({
    port: options.port,
    bodyBytesMax: BODY_BYTES_MAX,
    async handle(request) {
      if (request.path === "/health") return ok({ status: "ok" });
      if (request.headers.authorization !== `Bearer ${options.key}`) {
        throw new Refusal(401, "unauthorized", "send Authorization: Bearer <key>");
      }
      const route = routes[`${request.method} ${request.path}`];
      if (route !== undefined) return route(request);
      const done = await operate(provider, request);
      if (done.lost) return "cut";
      const headers = done.replayed ? { "idempotent-replayed": "true" } : {};
      return { status: done.status, body: done.body, headers };
    },
  });
  return {
    ...server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      ledger[Symbol.dispose]();
    },
  };
}

async function operate(provider: Provider, request: HttpRequest): Promise<ProviderAnswer> {
  const [, version, collection, id, operation, ...rest] = request.path.split("/");
  const known = version === "v1" && collection === "authorizations" && rest.length === 0;
  if (known && request.method === "POST") {
    if (id === undefined) return provider.authorize(idempotencyKey(request), inputOf(parseJson(request.body)));
    if (operation === "capture") return provider.capture(idempotencyKey(request), id);
    if (operation === "void") return provider.void(idempotencyKey(request), id);
    if (operation === "refund") return provider.refund(idempotencyKey(request), id);
  }
  if (known && request.method === "GET" && id !== undefined && operation === undefined) {
    const authorization = provider.find(id);
    if (authorization) return { status: 200, body: authorization, replayed: false, lost: false };
  }
  throw new Refusal(404, "not_found", `nothing at ${request.method} ${request.path}`);
}

function found(provider: Provider, key: string | null): unknown[] {
  if (key === null) throw new Refusal(400, "missing_parameter", "idempotency_key is missing in the query");
  const authorization = provider.findByKey(key);
  return authorization ? [authorization] : [];
}

function idempotencyKey(request: HttpRequest): string {
  const key = request.headers["idempotency-key"];
  if (typeof key === "string" && key !== "" && key.length <= KEY_LENGTH_MAX) return key;
  throw new Refusal(400, "idempotency_key_missing", `send an Idempotency-Key of 1 to ${KEY_LENGTH_MAX} characters`);
}

function inputOf(body: unknown): AuthorizeInput {
  const { amount, currency, payment_method, reference } = recordOf(body);
  if (typeof amount !== "number" || !Number.isSafeInteger(amount) || amount <= 0) {
    throw invalid("amount", "a positive integer of minor units");
  }
  if (typeof currency !== "string" || !/^[A-Z]{3}$/.test(currency)) throw invalid("currency", "three capital letters");
  if (typeof payment_method !== "string" || !METHODS.includes(payment_method)) {
    throw invalid("payment_method", `one of ${METHODS.join(", ")}`);
  }
  if (typeof reference !== "string" || reference === "" || reference.length > KEY_LENGTH_MAX) {
    throw invalid("reference", `a text of 1 to ${KEY_LENGTH_MAX} characters`);
  }
  return { amount, currency, payment_method, reference };
}

function recordsOf(body: unknown): LedgerRecord[] {
  const { records } = recordOf(body);
  if (!Array.isArray(records) || !records.every(isRecord))
    throw invalid("records", "lines of another sandbox's ledger");
  return records;
}

function isRecord(value: unknown): value is LedgerRecord {
  const { key, fingerprint, status, authorization } = recordOf(value);
  const texts = [key, fingerprint, recordOf(authorization).id];
  return texts.every((text) => typeof text === "string" && text !== "") && typeof status === "number";
}

function ok(body: unknown): HttpAnswer {
  return { status: 200, body };
}

if (import.meta.main) {
  const { env } = process;
  await runOutsideParty("payment-provider", async () => {
    const { PROVIDER_KEY: key, PROVIDER_LEDGER: ledgerFile } = env;
    if (!key || !ledgerFile) throw new Error("PROVIDER_KEY and PROVIDER_LEDGER must be set");
    return startPaymentProvider({ port: portFrom(env, "PROVIDER_PORT"), key, ledgerFile });
  });
}
