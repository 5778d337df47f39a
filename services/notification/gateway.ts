import { SpanKind } from "@opentelemetry/api";
import { currentSignal } from "@weft/mesh/context";
import type { Clock } from "@weft/mesh/contract";
import type { Telemetry } from "@weft/mesh/telemetry";
import { type Message, wireIdOf } from "./domain.ts";
import { webhookHeaders } from "./signature.ts";
import { type Carrier, MessageRefused } from "./usecases.ts";

export interface GatewayOptions {
  /** Base URL: http://127.0.0.1:7015 */
  readonly url: string;
  /** What requests are signed with. */
  readonly key: Buffer;
  readonly telemetry: Pick<Telemetry, "span" | "inject">;
  readonly clock: Clock;
  /** One request at most. Below the worker's lease. */
  readonly timeoutMs?: number;
}

/** The largest part of an answer that is read. */
const answerBytesMax = 16 * 1024;
/** Answers that speak of us or of the moment, not of the message: our secret or clock is wrong, it is too busy. */
const passing: ReadonlySet<number> = new Set([401, 403, 408, 425, 429]);

/** Text and push messages by way of one gateway, which takes them as signed webhooks. */
export function createGateway(options: GatewayOptions): { readonly sms: Carrier; readonly push: Carrier } {
  const carrier = (path: string, bodyOf: (message: Message) => object): Carrier => ({
    send: (message) => post(options, path, { id: wireIdOf(message), body: JSON.stringify(bodyOf(message)) }),
  });
  return {
    sms: carrier("/v1/sms", ({ recipient, body }) => ({ to: recipient, text: body })),
    push: carrier("/v1/push", ({ recipient, subject, body }) => ({ to: recipient, title: subject, body })),
  };
}

/** Errors name neither body nor answer, which have the address: they are logged. */
async function post(options: GatewayOptions, path: string, webhook: { id: string; body: string }): Promise<string> {
  const { key, telemetry, clock, timeoutMs = 4_000 } = options;
  const url = new URL(path, options.url);
  const attributes = {
    "http.request.method": "POST",
    "server.address": url.hostname,
    "server.port": Number(url.port || (url.protocol === "https:" ? 443 : 80)),
    "url.path": path,
  };
  return await telemetry.span(`webhook ${path}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const caller = currentSignal();
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...webhookHeaders(key, { ...webhook, atMs: clock.now() }),
        ...telemetry.inject(),
      },
      body: webhook.body,
      redirect: "error",
      signal: caller === undefined ? timeout : AbortSignal.any([caller, timeout]),
    });
    const { status } = response;
    span.setAttribute("http.response.status_code", status);
    const answer = await readText(response);
    if (response.ok) return String(status);
    const no = `the gateway answered ${status}${errorCodeOf(answer)}`;
    throw status < 500 && !passing.has(status) ? new MessageRefused(no) : new Error(no);
  });
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > answerBytesMax) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** `{"error": {"code": "invalid_number"}}` as " (invalid_number)"; whatever else it says may repeat the address. */
function errorCodeOf(answer: string): string {
  const [, code] = /"code"\s*:\s*"([a-z][a-z_]{0,49})"/.exec(answer) ?? [];
  return code === undefined ? "" : ` (${code})`;
}
