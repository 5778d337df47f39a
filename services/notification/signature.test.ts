import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SettingError } from "@weft/mesh/contract";
import { expect, test } from "vitest";
import { verifyWebhook } from "../../tools/dev/outside/signature.ts";
import { loadWebhookSecret, webhookHeaders } from "./signature.ts";

// The vector of Standard Webhooks' own libraries: their tests all have it.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const atMs = 1_614_265_330_999;
const webhook = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: '{"test": 2432232314}', atMs };
const setting = "WEBHOOK_SECRET";

test("signs the published vector as published, with the attempt's time in whole seconds", async () => {
  const key = await loadWebhookSecret({ setting, text: secret });
  expect(webhookHeaders(key, webhook)).toEqual({
    "webhook-id": webhook.id,
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("what it signs a receiver verifies, characters of several bytes too", async () => {
  const key = await loadWebhookSecret({ setting, text: secret });
  const body = JSON.stringify({ to: "+4930123456", text: "Grüße, 5 €, 🎁" });
  const request = { headers: webhookHeaders(key, { ...webhook, body }), body: Buffer.from(body) };
  expect(verifyWebhook(request, secret, atMs)).toEqual({ id: webhook.id });
});

test("a secret in a file is read without the line break at its end", async () => {
  const directory = await mkdtemp(join(tmpdir(), "weft-secret-"));
  const file = join(directory, "secret");
  await writeFile(file, `${secret}\n`);
  const key = await loadWebhookSecret({ setting: "WEBHOOK_SECRET_FILE", file });
  expect(key.toString("base64")).toBe(secret.slice("whsec_".length));
  await rm(directory, { recursive: true });
});

test.each([
  ["without its prefix", secret.slice("whsec_".length)],
  ["too short", `whsec_${Buffer.alloc(23).toString("base64")}`],
  ["too long", `whsec_${Buffer.alloc(65).toString("base64")}`],
  ["not in base64", "whsec_what is this, that should be a secret?"],
])("a secret that is %s stops the start; what it was is not said", async (_what, text) => {
  const error = await loadWebhookSecret({ setting, text }).catch((reason) => reason);
  expect(error).toBeInstanceOf(SettingError);
  expect(error.message).toContain(setting);
  expect(error.message).not.toContain(text);
});

test("a file that is not there is named", async () => {
  const loading = loadWebhookSecret({ setting: "WEBHOOK_SECRET_FILE", file: "/no/such/file" });
  await expect(loading).rejects.toThrow(/^WEBHOOK_SECRET_FILE=\/no\/such\/file cannot be read/);
});
