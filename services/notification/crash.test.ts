import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createDatabase } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { expect, test, vi } from "vitest";
import { OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { ProfileUpdatedSchema, UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import { type CaughtMessage, startMailCatcher } from "../../tools/dev/mail-catcher.ts";
import { createTestMesh } from "../../tools/dev/testing/mesh.ts";
import { type CaughtWebhook, startWebhookCatcher } from "../../tools/dev/webhook-catcher.ts";

const secret = `whsec_${Buffer.from("a secret of enough bytes").toString("base64")}`;

/** A notification service in a process of its own, and what it has logged so far. */
function startProcess(env: Record<string, string>): ChildProcess & AsyncDisposable & { readonly log: string[] } {
  const main = fileURLToPath(new URL("./main.ts", import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, ...env, LOG_LEVEL: "info" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const log: string[] = [];
  if (child.stdout) createInterface(child.stdout).on("line", (line) => log.push(line));
  return Object.assign(child, {
    log,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  });
}

test("20 orders while it is away, kill -9 in the middle: 20 e-mails, a second copy only of what was accepted and not committed", async () => {
  await using catcher = await startMailCatcher({ smtpPort: 0, httpPort: 0 });
  await using mesh = await createTestMesh(["notification"]);
  await using telemetry = createTelemetry({ service: "test", logLevel: "error" });
  await using database = createDatabase({ url: mesh.database("notification").url, telemetry });
  const smtp = { SMTP_URL: `smtp://127.0.0.1:${catcher.smtpPort}`, MAIL_FROM: "shop@weft.local" };
  const env = { ...mesh.env("notification"), ...smtp, WEBHOOK_URL: "http://127.0.0.1:1", WEBHOOK_SECRET: secret };
  const caught = async () =>
    (await (await fetch(`http://127.0.0.1:${catcher.port}/messages`)).json()) as CaughtMessage[];
  const emails = () =>
    database.query<{ event_id: string; state: string }>("test.emails", "SELECT event_id, state FROM messages");

  await mesh.publish(UserRegisteredSchema, { userId: "ann", email: "ann@shop.test", displayName: "Ann" });
  for (let i = 0; i < 20; i += 1) {
    const total = { currencyCode: "EUR", minorUnits: 500n };
    await mesh.publish(OrderConfirmedSchema, { orderId: `ord_${i}`, userId: "ann", total });
  }

  await using killed = startProcess(env);
  await vi.waitFor(async () => expect((await caught()).length).toBeGreaterThan(3), { timeout: 15_000, interval: 2 });
  killed.kill("SIGKILL");
  // Its output read to the end as well.
  await once(killed, "close");
  const committed = new Set((await emails()).filter(({ state }) => state === "SENT").map(({ event_id }) => event_id));

  await using resumed = startProcess(env);
  await vi.waitFor(
    async () => {
      const rows = await emails();
      expect(rows).toHaveLength(21);
      expect(rows.every(({ state }) => state === "SENT")).toBe(true);
    },
    { timeout: 30_000, interval: 200 },
  );
  const logged = (message: string, log: readonly string[]) =>
    log.filter((line) => line.includes(`"${message}"`)).map((line) => JSON.parse(line).message_id as string);
  const copies = Map.groupBy(await caught(), ({ message_id }) => message_id);
  expect(copies.size).toBe(21);
  for (const [messageId, { length }] of copies) {
    if (length === 1) continue;
    expect(length).toBe(2);
    expect([...committed].map((eventId) => `<${eventId}@weft.local>`)).not.toContain(messageId);
    expect(logged("message sending", killed.log)).toContain(messageId);
  }
  // The log tells: acceptance comes before the commit, and each copy has been begun by a line of its own.
  for (const eventId of committed) expect(logged("message accepted", killed.log)).toContain(`<${eventId}@weft.local>`);
  const begun = Map.groupBy(logged("message sending", [...killed.log, ...resumed.log]), (messageId) => messageId);
  for (const [messageId, { length }] of copies) expect(length).toBeLessThanOrEqual(begun.get(messageId)?.length ?? 0);
}, 60_000);

test("kill -9 between the gateway's acceptance and the commit: the text message comes again with its id, and is delivered once", async () => {
  // An answer that it holds back for good: what it has accepted cannot be committed before the kill.
  await using gateway = await startWebhookCatcher({ port: 0, secret, pause: () => new Promise(() => {}) });
  await using mesh = await createTestMesh(["notification"]);
  await using telemetry = createTelemetry({ service: "test", logLevel: "error" });
  await using database = createDatabase({ url: mesh.database("notification").url, telemetry });
  const smtp = { SMTP_URL: "smtp://127.0.0.1:1", MAIL_FROM: "shop@weft.local" };
  const env = { ...mesh.env("notification"), ...smtp, WEBHOOK_URL: gateway.url, WEBHOOK_SECRET: secret };
  const caught = async () => (await (await fetch(`${gateway.url}/messages`)).json()) as CaughtWebhook[];
  const states = () =>
    database.query<{ message_id: string; state: string }>("test.messages", "SELECT message_id, state FROM messages");

  const body = JSON.stringify({ kind: "delay", operation: "sms" });
  await fetch(`${gateway.url}/v1/faults`, { method: "POST", body });
  const profile = { userId: "ann", email: "ann@shop.test", phone: "+4930123456", notifyBySms: true };
  await mesh.publish(ProfileUpdatedSchema, profile, { version: 2n });
  const total = { currencyCode: "EUR", minorUnits: 500n };
  await mesh.publish(OrderConfirmedSchema, { orderId: "ord_1", userId: "ann", total });

  await using killed = startProcess(env);
  await vi.waitFor(async () => expect(await caught()).toHaveLength(1), { timeout: 15_000, interval: 5 });
  killed.kill("SIGKILL");
  await once(killed, "close");
  const [sms] = await caught();
  expect(await states()).toEqual([{ message_id: sms?.webhook_id, state: "QUEUED" }]);
  // What it has logged tells nobody's number.
  expect(killed.log.join()).toContain(sms?.webhook_id);
  expect(killed.log.join()).not.toContain(profile.phone);

  await using _resumed = startProcess(env);
  await vi.waitFor(async () => expect(await states()).toMatchObject([{ state: "SENT" }]), {
    timeout: 30_000,
    interval: 200,
  });
  expect(await caught()).toEqual([{ ...sms, copies: 2 }]);
}, 60_000);
