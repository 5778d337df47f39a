import { Code } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import { type BreakerState, createBreaker } from "@weft/mesh/client";
import { currentSignal } from "@weft/mesh/context";
import { rpcError } from "@weft/mesh/contract";
import type { Telemetry } from "@weft/mesh/telemetry";
import type { Authorization } from "./domain.ts";
import { createExchange } from "./http.ts";
import type { Provider } from "./usecases.ts";

export interface ProviderOptions {
  /** Base URL: http://127.0.0.1:7011 */
  readonly url: string;
  readonly key: string;
  readonly telemetry: Telemetry;
  /** One request at most. */
  readonly timeoutMs?: number;
}

/** The largest answer that is read. */
const answerBytesMax = 64 * 1024;
/** The longest text of the provider's that is passed on. */
const reasonLengthMax = 300;

/** An answer of the provider's that is one: its status is below 500. */
interface Answer {
  readonly status: number;
  readonly body: { readonly [field: string]: unknown };
}

interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly idempotencyKey?: string;
  readonly body?: unknown;
}

/**
 * The payment provider over HTTP. Each POST carries an idempotency key made of the order's id, so that it can be sent again for as
 * long as nobody knows whether it was done. A breaker, the mesh's, makes calls fail at once while the provider is ill.
 */
export function createProvider(options: ProviderOptions): Provider {
  const send = createSend(options);

  async function find(orderId: string): Promise<Authorization> {
    const query = new URLSearchParams({ idempotency_key: authorizeKey(orderId) });
    const { status, body } = await send("find", { method: "GET", path: `/v1/authorizations?${query}` });
    if (status !== 200 || !Array.isArray(body.data)) throw unexpected("find", status, body);
    return body.data.length === 0 ? { status: "absent" } : toAuthorization(body.data[0]);
  }

  return {
    find,

    async authorize({ orderId, amount, paymentMethod }) {
      const { status, body } = await send("authorize", {
        method: "POST",
        path: "/v1/authorizations",
        idempotencyKey: authorizeKey(orderId),
        body: {
          // Exact: the contract's bound on an amount is far below 2^53.
          amount: Number(amount.minorUnits),
          currency: amount.currencyCode,
          payment_method: paymentMethod,
          reference: orderId,
        },
      });
      if (status === 200 || status === 402) return toAuthorization(body);
      // It does not accept the request as such: nothing was authorized.
      if (status === 400 || status === 422) {
        const reason = errorOf(body).replaceAll(paymentMethod, "(payment method)");
        return { status: "declined", reference: "", reason };
      }
      throw unexpected("authorize", status, body);
    },

    async capture(orderId, reference) {
      const path = `/v1/authorizations/${encodeURIComponent(reference)}/capture`;
      const idempotencyKey = `capture:${orderId}`;
      const { status, body } = await send("capture", { method: "POST", path, idempotencyKey });
      if (status === 200) return { type: "captured" };
      if (status === 402) return { type: "refused", reason: words(body.decline_reason) };
      if (status !== 409) throw unexpected("capture", status, body);
      const found = await find(orderId);
      if (found.status === "captured") return { type: "captured" };
      if (found.status === "voided" || found.status === "declined" || found.status === "refunded") {
        return { type: "refused", reason: `the authorization is ${found.status}` };
      }
      throw unexpected("capture", status, body);
    },

    async void(orderId, reference) {
      const path = `/v1/authorizations/${encodeURIComponent(reference)}/void`;
      const { status, body } = await send("void", { method: "POST", path, idempotencyKey: `void:${orderId}` });
      if (status === 200) return "voided";
      if (status !== 409) throw unexpected("void", status, body);
      const found = await find(orderId);
      if (found.status === "voided") return "voided";
      if (found.status === "captured" || found.status === "refunded") return "captured";
      throw unexpected("void", status, body);
    },

    async refund(orderId, reference) {
      const path = `/v1/authorizations/${encodeURIComponent(reference)}/refund`;
      const { status, body } = await send("refund", { method: "POST", path, idempotencyKey: `refund:${orderId}` });
      if (status === 200) return;
      if (status !== 409) throw unexpected("refund", status, body);
      const found = await find(orderId);
      if (found.status !== "refunded") throw unexpected("refund", status, body);
    },
  };
}

function createSend({ url, key, telemetry, timeoutMs = 2_000 }: ProviderOptions) {
  const base = new URL(url);
  const send = createExchange(base, answerBytesMax);
  const breaker = createBreaker((state) => telemetry.logger.warn(`provider's breaker ${state}`));
  telemetry.meter
    .createObservableGauge("weft.provider.breaker.state", { description: "0 closed, 1 half-open, 2 open" })
    .addCallback((result) => result.observe(gaugeValues[breaker.state]));

  const exchange = async (operation: string, request: Request): Promise<Answer> => {
    const caller = currentSignal();
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const { status, text } = await send(request.path, {
        method: request.method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(request.idempotencyKey !== undefined && { "idempotency-key": request.idempotencyKey }),
          ...(request.body !== undefined && { "content-type": "application/json" }),
          ...telemetry.inject(),
        },
        body: request.body === undefined ? undefined : JSON.stringify(request.body),
        signal: caller === undefined ? timeout : AbortSignal.any([caller, timeout]),
      });
      if (status >= 500 || status === 429) throw new Error(`answered ${status}`);
      return { status, body: JSON.parse(text) };
    } catch (error) {
      if (caller?.aborted) throw new CallerLeft("nothing is known of the provider", { cause: caller.reason });
      const code = timeout.aborted ? Code.DeadlineExceeded : Code.Unavailable;
      const what = timeout.aborted ? `did not answer within ${timeoutMs} ms` : "could not be asked";
      throw rpcError(code, `${operation}: the payment provider ${what}`, { reason: "PROVIDER_FAILURE", cause: error });
    }
  };

  return async (operation: string, request: Request): Promise<Answer> => {
    const attributes = {
      "http.request.method": request.method,
      "server.address": base.hostname,
      "server.port": Number(base.port),
    };
    return await telemetry.span(`provider ${operation}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
      if (!breaker.admits()) throw breakerOpen(operation);
      try {
        const answer = await breaker.execute(() => exchange(operation, request));
        span.setAttribute("http.response.status_code", answer.status);
        return answer;
      } catch (error) {
        throw error instanceof CallerLeft ? error.cause : error;
      }
    });
  };
}

function authorizeKey(orderId: string): string {
  return `authorize:${orderId}`;
}

function toAuthorization(value: unknown): Authorization {
  const { id, status, decline_reason } = (value ?? {}) as Record<string, unknown>;
  if (status === "processing") return { status };
  if (typeof id === "string") {
    if (status === "declined") return { status, reference: id, reason: words(decline_reason) };
    if (status === "authorized" || status === "captured" || status === "voided" || status === "refunded") {
      return { status, reference: id };
    }
  }
  throw unexpected("authorization", 200, { status });
}

/** The provider's "insufficient_funds" as people read it. */
function words(reason: unknown): string {
  if (typeof reason !== "string" || reason === "") return "no reason given";
  return reason.slice(0, reasonLengthMax).replaceAll("_", " ");
}

function errorOf(body: Answer["body"]): string {
  const { message, code } = (body.error ?? {}) as Record<string, unknown>;
  return typeof message === "string" ? message.slice(0, reasonLengthMax) : words(code);
}

/** Says nothing about whether it was done, so it is asked again; not an illness, so the breaker stays out of it. */
function unexpected(operation: string, status: number, body: Answer["body"]) {
  // Not its message: that may repeat what it was sent, and errors are logged.
  const { code = body.status } = (body.error ?? {}) as Record<string, unknown>;
  return rpcError(Code.Unavailable, `${operation}: the payment provider answered ${status}`, {
    reason: "PROVIDER_UNEXPECTED",
    cause: new Error(words(code)),
  });
}

function breakerOpen(operation: string) {
  return rpcError(
    Code.Unavailable,
    `${operation}: the payment provider has been failing, it is given time to recover`,
    {
      reason: "PROVIDER_BREAKER_OPEN",
    },
  );
}

/** No ConnectError, so that the breaker learns nothing from it, good or bad, whatever the caller left for. */
class CallerLeft extends Error {}

const gaugeValues: Record<BreakerState, number> = { closed: 0, "half-open": 1, open: 2 };
