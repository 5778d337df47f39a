import { createHmac } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { HttpServer } from "./outside/http.ts";
import { TIMESTAMP_TOLERANCE_MS, verifyWebhook } from "./outside/signature.ts";
import { type CaughtWebhook, startWebhookCatcher } from "./webhook-catcher.ts";

// The vector of Standard Webhooks' own libraries: their tests all have it.
const VECTOR = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  atMs: 1_614_265_330_000,
  body: '{"test": 2432232314}',
  headers: {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  },
};
const RIGHT = VECTOR.headers["webhook-signature"];
const WRONG = "v1,AAAASsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE0=";
const SMS = { to: "+4930123456", text: "Weft: your order is on its way." };
const PUSH = { to: "device-1", title: "Order on its way", body: "Your parcel has left." };
const NOW_MS = Date.parse("2026-03-01T12:00:00Z");

let catcher: HttpServer;
let pauses: { ms: number; end: () => void }[];

beforeEach(async () => {
  pauses = [];
  catcher = await startWebhookCatcher({
    port: 0,
    secret: VECTOR.secret,
    now: () => NOW_MS,
    pause: (ms) => new Promise<void>((end) => pauses.push({ ms, end })),
  });
});
afterEach(() => catcher[Symbol.asyncDispose]());

function headersOf(id: string, body: string, timestampS = NOW_MS / 1_000) {
  const key = Buffer.from(VECTOR.secret.slice("whsec_".length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestampS}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(timestampS), "webhook-signature": `v1,${signature}` };
}

async function post(path: string, message: object, headers?: Record<string, string>) {
  const body = JSON.stringify(message);
  const response = await fetch(`${catcher.url}${path}`, {
    method: "POST",
    headers: headers ?? headersOf("evt_1_sms", body),
    body,
  });
  return { status: response.status, body: await response.json() };
}

const messages = async (query = "") =>
  (await (await fetch(`${catcher.url}/messages${query}`)).json()) as CaughtWebhook[];
const fault = (what: object) => fetch(`${catcher.url}/v1/faults`, { method: "POST", body: JSON.stringify(what) });

test.each<[string, Record<string, string | undefined>, number, boolean]>([
  ["the published vector", {}, 0, true],
  ["one of several signatures", { "webhook-signature": `${WRONG} v1a,AAAA ${RIGHT}` }, 0, true],
  ["a clock that is five minutes off", {}, TIMESTAMP_TOLERANCE_MS, true],
  ["a copy that comes later", {}, TIMESTAMP_TOLERANCE_MS + 1, false],
  ["one from the future", {}, -TIMESTAMP_TOLERANCE_MS - 1, false],
  ["another signature", { "webhook-signature": WRONG }, 0, false],
  ["a signature cut short", { "webhook-signature": RIGHT.slice(0, -8) }, 0, false],
  ["a scheme that is not known", { "webhook-signature": RIGHT.replace("v1,", "v2,") }, 0, false],
  ["no signature", { "webhook-signature": undefined }, 0, false],
  ["another id", { "webhook-id": "msg_other" }, 0, false],
  ["an id with a full stop", { "webhook-id": "msg.1" }, 0, false],
  ["no id", { "webhook-id": undefined }, 0, false],
  ["another time", { "webhook-timestamp": "1614265331" }, 0, false],
  ["a time that is none", { "webhook-timestamp": "soon" }, 0, false],
])("a webhook with %s is verified: %o, %i ms later: %s", (_what, headers, laterMs, isRight) => {
  const request = { headers: { ...VECTOR.headers, ...headers }, body: Buffer.from(VECTOR.body) };
  const verdict = verifyWebhook(request, VECTOR.secret, VECTOR.atMs + laterMs);
  expect("id" in verdict).toBe(isRight);
});

test("another body or another secret is not verified", () => {
  const request = { headers: VECTOR.headers, body: Buffer.from(`${VECTOR.body} `) };
  expect(verifyWebhook(request, VECTOR.secret, VECTOR.atMs)).toHaveProperty("refused");
  const other = `whsec_${Buffer.alloc(24).toString("base64")}`;
  expect(verifyWebhook({ ...request, body: Buffer.from(VECTOR.body) }, other, VECTOR.atMs)).toHaveProperty("refused");
});

test("a message that is signed can be read, also by recipient and channel; what is not signed is refused", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const headers = { ...headersOf("evt_1_sms", JSON.stringify(SMS)), traceparent };
  expect(await post("/v1/sms", SMS, headers)).toMatchObject({ status: 200, body: { status: "accepted" } });
  expect(await post("/v1/push", PUSH, headersOf("evt_1_push", JSON.stringify(PUSH)))).toMatchObject({ status: 200 });
  const forged = headersOf("evt_2_sms", JSON.stringify({ ...SMS, text: "other" }));
  expect(await post("/v1/sms", SMS, forged)).toMatchObject({ status: 401, body: { error: { code: "bad_signature" } } });
  expect(await messages()).toEqual([
    {
      ...{ webhook_id: "evt_1_sms", channel: "sms", to: SMS.to, title: "", text: SMS.text },
      ...{ traceparent, received_at: "2026-03-01T12:00:00.000Z", copies: 1 },
    },
    expect.objectContaining({ webhook_id: "evt_1_push", title: PUSH.title, text: PUSH.body }),
  ]);
  expect((await messages("?channel=push")).map(({ to }) => to)).toEqual([PUSH.to]);
  expect((await messages(`?to=${encodeURIComponent(SMS.to)}`)).map(({ channel }) => channel)).toEqual(["sms"]);
  await fetch(`${catcher.url}/messages`, { method: "DELETE" });
  expect(await messages()).toEqual([]);
});

test("the same id again is accepted and delivered once", async () => {
  expect((await post("/v1/sms", SMS)).body).toMatchObject({ status: "accepted" });
  expect(await post("/v1/sms", SMS)).toMatchObject({ status: 200, body: { status: "known" } });
  expect(await messages()).toMatchObject([{ webhook_id: "evt_1_sms", copies: 2 }]);
});

test.each([
  ["/v1/sms", { ...SMS, to: "030 123456" }, 400, "invalid_request"],
  ["/v1/sms", { ...SMS, text: "" }, 400, "invalid_request"],
  ["/v1/push", { ...PUSH, title: undefined }, 400, "invalid_request"],
  ["/v1/push", { ...PUSH, to: "a b" }, 400, "invalid_request"],
  ["/v1/sms", { ...SMS, text: "x".repeat(20_000) }, 413, "body_too_large"],
  ["/v1/fax", SMS, 404, "not_found"],
])("%s refuses what is not a message: %o is %i", async (path, message, status, code) => {
  const answer = await post(path, message, headersOf("evt_3", JSON.stringify(message)));
  expect(answer).toMatchObject({ status, body: { error: { code } } });
  expect(JSON.stringify(answer.body)).not.toContain("030 123456");
});

test("faults hit as many requests of their channel as asked for: two take nothing, two take the message all the same", async () => {
  await fault({ kind: "error", operation: "sms" });
  await fault({ kind: "refuse", operation: "sms" });
  expect((await post("/v1/sms", SMS)).status).toBe(500);
  expect((await post("/v1/sms", SMS)).status).toBe(400);
  expect(await messages()).toEqual([]);
  await fault({ kind: "lost_reply", operation: "sms" });
  await expect(post("/v1/sms", SMS)).rejects.toThrow();
  expect(await messages()).toMatchObject([{ copies: 1 }]);
  await fault({ kind: "delay", operation: "sms", delay_ms: 700 });
  const late = post("/v1/sms", SMS);
  await expect.poll(() => pauses).toMatchObject([{ ms: 700 }]);
  expect(await messages()).toMatchObject([{ copies: 2 }]);
  pauses[0]?.end();
  expect((await late).status).toBe(200);
  await fault({ kind: "error", operation: "sms", count: 9 });
  await fetch(`${catcher.url}/v1/faults`, { method: "DELETE" });
  expect((await post("/v1/sms", SMS)).status).toBe(200);
});

test("no more than the last messages are kept", async () => {
  await using small = await startWebhookCatcher({
    ...{ port: 0, secret: VECTOR.secret, now: () => NOW_MS },
    messageCountMax: 3,
  });
  const body = JSON.stringify(SMS);
  for (const id of ["evt_1", "evt_2", "evt_3", "evt_4", "evt_5"]) {
    const answer = await fetch(`${small.url}/v1/sms`, { method: "POST", headers: headersOf(id, body), body });
    expect(await answer.json()).toMatchObject({ status: "accepted" });
  }
  const kept = (await (await fetch(`${small.url}/messages`)).json()) as CaughtWebhook[];
  expect(kept.map(({ webhook_id }) => webhook_id)).toEqual(["evt_3", "evt_4", "evt_5"]);
});
