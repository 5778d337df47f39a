import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@weft/mesh/contract";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterEach, expect, test } from "vitest";
import { type CaughtWebhook, startWebhookCatcher } from "../../tools/dev/webhook-catcher.ts";
import type { Message } from "./domain.ts";
import { createGateway } from "./gateway.ts";
import { loadWebhookSecret } from "./signature.ts";
import { MessageRefused } from "./usecases.ts";

const telemetry = createTelemetry({ service: "notification", logLevel: "error" });
const secret = `whsec_${Buffer.from("a secret of enough bytes").toString("base64")}`;
const key = await loadWebhookSecret({ setting: "WEBHOOK_SECRET", text: secret });
const resources: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of resources.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
});

const sms: Message = {
  ...{ messageId: "evt_1_sms", eventId: "evt_1", userId: "ann", channel: "SMS", recipient: "+4930123456" },
  ...{ subject: "Order confirmed", body: "Weft: Grüße", html: undefined, state: "QUEUED", attempts: 1, failure: "" },
  ...{ createdAt: new Date(0), sentAt: undefined },
};
const push: Message = { ...sms, messageId: "evt_1_push", channel: "PUSH", recipient: "device-1" };

const gatewayAt = (url: string) => createGateway({ url, key, telemetry, clock: systemClock, timeoutMs: 300 });

/** A gateway that answers as told. */
async function answering(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  resources.push({
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  });
  return gatewayAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

test("text and push messages are taken, once for each id, in the trace that they belong to", async () => {
  const catcher = await startWebhookCatcher({ port: 0, secret });
  resources.push(catcher);
  const gateway = gatewayAt(catcher.url);
  const traceId = await telemetry.span("event", {}, async (span) => {
    expect(await gateway.sms.send(sms)).toBe("200");
    await gateway.sms.send(sms);
    await gateway.push.send(push);
    return span.spanContext().traceId;
  });
  const caught = (await (await fetch(`${catcher.url}/messages`)).json()) as CaughtWebhook[];
  expect(caught).toMatchObject([
    { webhook_id: "evt_1_sms", channel: "sms", to: sms.recipient, text: sms.body, copies: 2 },
    { webhook_id: "evt_1_push", channel: "push", to: push.recipient, title: push.subject, text: push.body, copies: 1 },
  ]);
  expect(caught.map(({ traceparent }) => traceparent)).toEqual(
    Array(2).fill(expect.stringMatching(`^00-${traceId}-[0-9a-f]{16}-01$`)),
  );
});

test.each([
  [400, true],
  [404, true],
  [410, true],
  [422, true],
  [401, false],
  [403, false],
  [408, false],
  [425, false],
  [429, false],
  [500, false],
  [503, false],
])("an answer of %i is final: %s; it is told with its code and without the number", async (status, isFinal) => {
  const { sms: carrier } = await answering((_request, response) => {
    response.writeHead(status).end(JSON.stringify({ error: { code: "a_reason", message: `not ${sms.recipient}` } }));
  });
  const error = await carrier.send(sms).catch((reason) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error instanceof MessageRefused).toBe(isFinal);
  expect(error.message).toBe(`the gateway answered ${status} (a_reason)`);
});

test.each<[string, RequestListener]>([
  ["never answers", () => {}],
  ["never ends its answer", (_request, response) => response.writeHead(200).write("{")],
  ["hangs up", (request) => request.destroy()],
  ["sends it elsewhere", (_request, response) => response.writeHead(307, { location: "/elsewhere" }).end()],
])("a gateway that %s is asked again", async (_what, listener) => {
  const { sms: carrier } = await answering(listener);
  const error = await carrier.send(sms).catch((reason) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(MessageRefused);
});

test("an answer without end is read up to a bound", async () => {
  const { sms: carrier } = await answering((_request, response) => {
    response.writeHead(500);
    const more = () => response.write("x".repeat(64 * 1024), (error) => error ?? more());
    more();
  });
  await expect(carrier.send(sms)).rejects.toThrow("the gateway answered 500");
});

test("what goes wrong is logged without number, token, text or secret", async () => {
  const nobody = gatewayAt("http://127.0.0.1:1");
  const stranger = await answering((_request, response) => {
    response.writeHead(400).end(JSON.stringify({ error: { code: sms.recipient } }));
  });
  const lines: string[] = [];
  const { logger } = createTelemetry({ service: "notification", write: (line) => lines.push(line) });
  for (const carrier of [nobody.sms, stranger.sms]) {
    logger.warn("failed", { error: await carrier.send(sms).catch((reason) => reason) });
  }
  expect(lines).toHaveLength(2);
  for (const what of [sms.recipient, sms.body, key.toString("base64")]) expect(lines.join()).not.toContain(what);
});
