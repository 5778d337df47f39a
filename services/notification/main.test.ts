import { type Client, Code } from "@connectrpc/connect";
import { systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, encodePageToken } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { NotificationService } from "../../gen/shop/notification/v1/notification_pb.ts";
import {
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import { ProfileUpdatedSchema, UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import { type CaughtMessage, type MailCatcher, startMailCatcher } from "../../tools/dev/mail-catcher.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";
import { createEmailStore } from "./store.ts";
import { confirmOrder, greet } from "./usecases.ts";

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let catcher: MailCatcher;
let smtpPort: number;
let notifications: Client<typeof NotificationService>;
let database: Database;

beforeAll(async () => {
  catcher = await startMailCatcher({ smtpPort: 0, httpPort: 0 });
  smtpPort = catcher.smtpPort;
  resources.defer(() => catcher[Symbol.asyncDispose]());
  mesh = resources.use(await createTestMesh(["notification"]));
  const env = { SMTP_URL: `smtp://127.0.0.1:${smtpPort}`, MAIL_FROM: "Weft <shop@weft.local>" };
  resources.use(await start(loadConfig({ ...mesh.env("notification"), ...env })));
  notifications = await mesh.client(NotificationService, "notification", "operator");
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: mesh.database("notification").url, telemetry }));
});
afterAll(() => resources.disposeAsync());

const addressOf = (userId: string) => `${userId}@shop.test`;
const register = (userId: string) =>
  mesh.publish(UserRegisteredSchema, { userId, email: addressOf(userId), displayName: "Ann" });
const confirm = (userId: string, orderId: string) =>
  mesh.publish(OrderConfirmedSchema, {
    orderId,
    userId,
    lines: [{ sku: "A", name: "Apple", quantity: 2, unitPrice: { currencyCode: "EUR", minorUnits: 250n } }],
    total: { currencyCode: "EUR", minorUnits: 500n },
  });

async function mailsTo(userId: string): Promise<CaughtMessage[]> {
  const response = await fetch(`http://127.0.0.1:${catcher.port}/messages?to=${encodeURIComponent(addressOf(userId))}`);
  return (await response.json()) as CaughtMessage[];
}
const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 15_000, interval: 50 });

test("a new customer is greeted and an order confirmed, each once, under the id of its event", async () => {
  await register("ann");
  await confirm("ann", "ord_ann");
  await eventually(async () => expect(await mailsTo("ann")).toHaveLength(2));
  const mails = await mailsTo("ann");
  const greeting = mails.find(({ subject }) => subject === "Welcome to the Weft shop");
  const confirmation = mails.find(({ subject }) => subject === "Your order ord_ann is confirmed");
  expect(greeting?.text).toContain("Hello Ann");
  expect(confirmation?.text).toContain("Total: EUR 5.00");
  await eventually(async () => {
    const { emails } = await notifications.listEmails({ userId: "ann" });
    expect(emails.every(({ sentAt, attempts }) => sentAt !== undefined && attempts === 1)).toBe(true);
    expect(new Set(emails.map(({ eventId }) => `<${eventId}@weft.local>`))).toEqual(
      new Set(mails.map(({ message_id }) => message_id)),
    );
  });
});

test("an order of a customer whose address has not arrived is confirmed once it has", async () => {
  await confirm("bob", "ord_bob");
  // However long it takes: its e-mail waits for it, and not the event, which would be a dead letter after a while.
  await eventually(async () => {
    const { emails } = await notifications.listEmails({ userId: "bob" });
    expect(emails).toMatchObject([{ subject: "Your order ord_bob is confirmed", attempts: 0 }]);
  });
  await confirm("ann", "ord_fence");
  await eventually(async () => {
    expect((await mailsTo("ann")).some(({ subject }) => subject.includes("ord_fence"))).toBe(true);
  });
  expect(await mailsTo("bob")).toEqual([]);
  await register("bob");
  await eventually(async () => {
    expect((await mailsTo("bob")).map(({ subject }) => subject)).toContain("Your order ord_bob is confirmed");
  });
});

test("an address that arrives while an order is being confirmed is not missed", async () => {
  const store = createEmailStore({ database, clock: systemClock, onQueued: () => {}, traceparent: () => undefined });
  const total = { currencyCode: "EUR", minorUnits: 500n };
  const user = { userId: "eve", email: addressOf("eve"), displayName: "Eve" };
  let greeting: Promise<void> | undefined;
  await database.transaction("test.confirm", async (confirming) => {
    const inbox = store.inbox(confirming);
    const slow = {
      ...inbox,
      async queue(email: Parameters<typeof inbox.queue>[0]) {
        greeting = database.transaction("test.greet", (tx) =>
          greet(store.inbox(tx), { ...user, eventId: "eve-greeting", version: 1n }),
        );
        await Promise.race([greeting, database.query("test.pause", "SELECT SLEEP(0.2)")]);
        await inbox.queue(email);
      },
    };
    await confirmOrder(slow, { userId: "eve", eventId: "eve-confirmation", orderId: "ord_eve", lines: [], total });
  });
  await greeting;
  await eventually(async () => expect(await mailsTo("eve")).toHaveLength(2));
});

test("a customer is told that the payment is awaited, the order cancelled or the parcel on its way", async () => {
  await register("cleo");
  const total = { currencyCode: "EUR", minorUnits: 500n };
  const order = { orderId: "ord_cleo", userId: "cleo" };
  await mesh.publish(OrderAwaitingPaymentSchema, { ...order, total, paymentInstructions: "Please wait." });
  await mesh.publish(OrderCancelledSchema, { ...order, reason: "not paid in time" });
  await mesh.publish(OrderShippedSchema, { ...order, trackingNumber: "DHL-1" });
  await eventually(async () => expect(await mailsTo("cleo")).toHaveLength(4));
  const texts = new Map((await mailsTo("cleo")).map(({ subject, text }) => [subject, text]));
  expect(texts.get("Your order ord_cleo waits for its payment")).toMatch(/EUR 5\.00.*Please wait\./s);
  expect(texts.get("Your order ord_cleo is cancelled")).toContain("not paid in time");
  expect(texts.get("Your order ord_cleo is on its way")).toContain("DHL-1");
});

test("a profile's address is written to from then on; who wants no e-mail about orders gets none", async () => {
  await register("dan");
  const profile = { userId: "dan", email: addressOf("dan-new"), displayName: "Dan" };
  await mesh.publish(ProfileUpdatedSchema, { ...profile, notifyByEmail: true }, { version: 2n });
  await confirm("dan", "ord_dan_1");
  await eventually(async () => expect(await mailsTo("dan-new")).toHaveLength(1));
  await mesh.publish(ProfileUpdatedSchema, { ...profile, notifyByEmail: false }, { version: 3n });
  await confirm("dan", "ord_dan_2");
  await mesh.publish(ProfileUpdatedSchema, { ...profile, notifyByEmail: true }, { version: 4n });
  await confirm("dan", "ord_dan_3");
  await eventually(async () => expect(await mailsTo("dan-new")).toHaveLength(2));
  const subjects = (await notifications.listEmails({ userId: "dan" })).emails.map(({ subject }) => subject);
  expect(subjects.filter((subject) => subject.includes("ord_dan_2"))).toEqual([]);
});

test("an e-mail that waits for the address of somebody who wants none is dropped; an older contact changes nothing", async () => {
  const store = createEmailStore({ database, clock: systemClock, onQueued: () => {}, traceparent: () => undefined });
  await confirm("flo", "ord_flo");
  await eventually(async () => expect((await notifications.listEmails({ userId: "flo" })).emails).toHaveLength(1));
  const contact = { userId: "flo", email: addressOf("flo") };
  const save = (notifyByEmail: boolean, version: bigint) =>
    database.transaction("test.contact", (tx) => store.inbox(tx).saveContact({ ...contact, notifyByEmail, version }));
  await save(false, 5n);
  expect((await notifications.listEmails({ userId: "flo" })).emails).toEqual([]);
  await save(true, 4n);
  const found = await database.transaction("test.contact", (tx) => store.inbox(tx).findContact("flo"));
  expect(found).toEqual({ email: addressOf("flo"), notifyByEmail: false });
});

test("while the mail server is away e-mails wait, and leave when it is back", async () => {
  await catcher[Symbol.asyncDispose]();
  await register("cem");
  await eventually(async () => {
    const { emails } = await notifications.listEmails({ userId: "cem" });
    expect(emails).toMatchObject([{ attempts: 1 }]);
    expect(emails[0]?.sentAt).toBeUndefined();
  });
  catcher = await startMailCatcher({ smtpPort, httpPort: 0 });
  await eventually(async () => expect(await mailsTo("cem")).toHaveLength(1));
});

describe("ListEmails", () => {
  test("goes through a user's e-mails, newest first, page after page, also where many were made in one moment", async () => {
    const now = Date.parse("2026-03-01T12:00:00Z");
    for (let i = 0; i < 25; i += 1) {
      await database.execute(
        "test.insertEmail",
        `INSERT INTO emails (event_id, user_id, recipient, subject, body, state, created_at, attempts)
         VALUES (?, 'dora', 'd@shop.test', ?, '', 'SENT', ?, 1)`,
        [`event-${String(i).padStart(2, "0")}`, `subject ${i}`, new Date(now + Math.floor(i / 10))],
      );
    }
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await notifications.listEmails({ userId: "dora", pageSize: 7, pageToken });
      seen.push(...page.emails.map(({ eventId }) => eventId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    const all = Array.from({ length: 25 }, (_, i) => `event-${String(24 - i).padStart(2, "0")}`);
    expect(seen).toEqual(all);
    expect((await notifications.listEmails({ userId: "dora" })).emails).toHaveLength(20);
  });

  test.each([
    ["garbage", "garbage"],
    ["a token of another user's list", encodePageToken("emails of eve", ["1", "event-01"])],
    ["a token of this list with another time in it", encodePageToken("emails of dora", ["soon", "event-01"])],
    ["one with a time that no e-mail has", encodePageToken("emails of dora", ["8640000000000000", "event-01"])],
    ["one with an id that no event has", encodePageToken("emails of dora", ["1", "é"])],
  ])("%s is INVALID_ARGUMENT", async (_what, pageToken) => {
    const listing = notifications.listEmails({ userId: "dora", pageToken });
    await expect(listing).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  test("reads a user's page by index", async () => {
    const plan = await database.query<{ key: string; Extra: string }>(
      "test.explain",
      `EXPLAIN SELECT event_id FROM emails WHERE user_id = 'dora' AND created_at <= ? AND (created_at < ? OR event_id < ?)
       ORDER BY created_at DESC, event_id DESC LIMIT 8`,
      [new Date(), new Date(), "event-01"],
    );
    expect(plan).toMatchObject([{ key: "emails_of_user", Extra: expect.not.stringContaining("filesort") }]);
  });
});
