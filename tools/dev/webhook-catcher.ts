import { setTimeout as pause } from "node:timers/promises";
import { createFaults, type Fault, faultOf, invalid, recordOf } from "./outside/faults.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  type HttpServer,
  parseJson,
  queryLimit,
  Refusal,
  serveHttp,
} from "./outside/http.ts";
import { portFrom, runOutsideParty } from "./outside/run.ts";
import { verifyWebhook } from "./outside/signature.ts";

/** A text message or a push message as the catcher tells it; field names as in its JSON. */
export interface CaughtWebhook {
  readonly webhook_id: string;
  readonly channel: "sms" | "push";
  /** A telephone number (E.164), or a device's token. */
  readonly to: string;
  /** Of a push message; empty for a text message. */
  readonly title: string;
  readonly text: string;
  /** The W3C header that it came with; empty without one. */
  readonly traceparent: string;
  /** ISO 8601. */
  readonly received_at: string;
  /** How often it came: it is delivered the first time only. */
  readonly copies: number;
}

export interface WebhookCatcherOptions {
  /** 0 for a free one. */
  readonly port: number;
  /** `whsec_` and a key in base64. */
  readonly secret: string;
  /** Kept at most, the newest; 5,000 if left out. */
  readonly messageCountMax?: number;
  readonly now?: () => number;
  readonly pause?: (ms: number) => Promise<unknown>;
}

const MESSAGE_COUNT_MAX = 5_000;
const BODY_BYTES_MAX = 16 * 1024;
const TEXT_LENGTH_MAX = 1_600;
const DELAY_MS = 10_000;
const CHANNELS = ["sms", "push"] as const;
const FAULT_KINDS = ["refuse", "error", "delay", "lost_reply"] as const;
type Channel = (typeof CHANNELS)[number];
type WebhookFault = Fault<(typeof FAULT_KINDS)[number], Channel>;

/**
 * A gateway that delivers nothing: it takes text messages (`POST /v1/sms`, `{to, text}`) and push messages (`POST /v1/push`,
 * `{to, title, body}`) that are signed after Standard Webhooks, and keeps the last ones in memory. A webhook-id that it knows is
 * accepted again and not delivered again. `GET /messages` (also `?to=`, `?channel=` and `?limit=`, the newest then), `DELETE /messages`.
 *
 * Faults on demand (`POST /v1/faults`, `DELETE /v1/faults`): `refuse` answers 400 and `error` 500, both without taking the message;
 * `delay` takes it and answers late; `lost_reply` takes it and cuts the connection.
 */
export async function startWebhookCatcher(options: WebhookCatcherOptions): Promise<HttpServer> {
  const { messageCountMax = MESSAGE_COUNT_MAX, now = Date.now, pause: wait = (ms) => pause(ms) } = options;
  const messages = new Map<string, CaughtWebhook>();
  const faults = createFaults<WebhookFault["kind"], Channel>();

  const deliver = (id: string, caught: Omit<CaughtWebhook, "webhook_id" | "received_at" | "copies">): boolean => {
    const known = messages.get(id);
    const news = { webhook_id: id, ...caught, received_at: new Date(now()).toISOString(), copies: 1 };
    messages.set(id, known === undefined ? news : { ...known, copies: known.copies + 1 });
    const [oldest] = messages.keys();
    if (messages.size > messageCountMax && oldest !== undefined) messages.delete(oldest);
    return known === undefined;
  };

  const take = async (channel: Channel, request: HttpRequest): Promise<HttpAnswer | "cut"> => {
    const verdict = verifyWebhook(request, options.secret, now());
    if ("refused" in verdict) throw new Refusal(401, "bad_signature", verdict.refused);
    const fault = faults.take(channel);
    if (fault?.kind === "refuse") throw new Refusal(400, "refused", "a fault that was asked for");
    if (fault?.kind === "error") throw new Refusal(500, "internal", "a fault that was asked for");
    const message = messageOf(channel, parseJson(request.body));
    const { traceparent = "" } = request.headers;
    const isNew = deliver(verdict.id, { ...message, traceparent: String(traceparent) });
    if (fault?.kind === "delay") await wait(fault.delay_ms ?? DELAY_MS);
    if (fault?.kind === "lost_reply") return "cut";
    return ok({ webhook_id: verdict.id, status: isNew ? "accepted" : "known" });
  };

  const routes: Record<string, (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer | "cut">> = {
    "GET /health": () => ok({ status: "ok" }),
    "POST /v1/sms": (request) => take("sms", request),
    "POST /v1/push": (request) => take("push", request),
    "GET /messages": ({ query }) => {
      const [to, channel] = [query.get("to"), query.get("channel")];
      const asked = [...messages.values()].filter(
        (message) => (to === null || message.to === to) && (channel === null || message.channel === channel),
      );
      return ok(asked.slice(-queryLimit(query, "limit", messageCountMax, messageCountMax)));
    },
    "DELETE /messages": () => {
      messages.clear();
      return ok([]);
    },
    "GET /v1/faults": () => ok({ faults: faults.list() }),
    "POST /v1/faults": ({ body }) => {
      faults.add(faultOf(parseJson(body), { kinds: FAULT_KINDS, operations: CHANNELS }));
      return ok({ faults: faults.list() });
    },
    "DELETE /v1/faults": () => {
      faults.clear();
      return ok({ faults: [] });
    },
  };
  return await serveHttp({
    port: options.port,
    bodyBytesMax: BODY_BYTES_MAX,
    async handle(request) {
      const route = routes[`${request.method} ${request.path}`];
      if (route === undefined) throw new Refusal(404, "not_found", `nothing at ${request.method} ${request.path}`);
      return route(request);
    },
  });
}

function messageOf(channel: Channel, body: unknown): Pick<CaughtWebhook, "channel" | "to" | "title" | "text"> {
  const { to, text, title, body: pushed } = recordOf(body);
  if (channel === "sms") {
    if (typeof to !== "string" || !/^[+][1-9]\d{6,14}$/.test(to)) throw invalid("to", "a telephone number (E.164)");
    return { channel, to, title: "", text: textOf("text", text) };
  }
  if (typeof to !== "string" || !/^[\w-]{1,200}$/.test(to)) throw invalid("to", "a device's token");
  return { channel, to, title: textOf("title", title), text: textOf("body", pushed) };
}

function textOf(field: string, value: unknown): string {
  if (typeof value === "string" && value !== "" && value.length <= TEXT_LENGTH_MAX) return value;
  throw invalid(field, `a text of 1 to ${TEXT_LENGTH_MAX} characters`);
}

function ok(body: unknown): HttpAnswer {
  return { status: 200, body };
}

if (import.meta.main) {
  const { env } = process;
  await runOutsideParty("webhook-catcher", async () => {
    const { WEBHOOK_SECRET: secret } = env;
    if (!secret) throw new Error("WEBHOOK_SECRET must be set");
    return startWebhookCatcher({ port: portFrom(env, "HTTP_PORT"), secret });
  });
}
