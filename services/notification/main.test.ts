import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type Client, Code } from "@connectrpc/connect";
import { systemClock } from "@weft/mesh/contract";
import { createDatabase, type Database, encodePageToken, type SqlValue } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Channel, MessageState, NotificationService } from "../../gen/shop/notification/v1/notification_pb.ts";
import {
  OrderAwaitingPaymentSchema,
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import { ProfileUpdatedSchema, UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import { type CaughtMessage, type MailCatcher, startMailCatcher } from "../../tools/dev/mail-catcher.ts";
import type { HttpServer } from "../../tools/dev/outside/http.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { type CaughtWebhook, startWebhookCatcher } from "../../tools/dev/webhook-catcher.ts";
import { loadConfig } from "./config.ts";
import { type Contact, messageIdOf } from "./domain.ts";
import { start } from "./main.ts";
import { createMessageStore } from "./store.ts";
import { orderConfirmation } from "./templates.ts";
import { greet, learnContact, type NewMessage, tellOfOrder } from "./usecases.ts";

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let catcher: MailCatcher;
let smtpPort: number;
let gateway: HttpServer;
let notifications: Client<typeof NotificationService>;
let database: Database;
const secret = `whsec_${Buffer.from("a secret of enough bytes").toString("base64")}`;

beforeAll(async () => {
  catcher = await startMailCatcher({ smtpPort: 0, httpPort: 0 });
  smtpPort = catcher.smtpPort;
  resources.defer(() => catcher[Symbol.asyncDispose]());
  mesh = resources.use(await createTestMesh(["notification"]));
  gateway = resources.use(await startWebhookCatcher({ port: 0, secret }));
  const smtp = { SMTP_URL: `smtp://127.0.0.1:${smtpPort}`, MAIL_FROM: "Weft <shop@weft.local>" };
  const webhook = { WEBHOOK_URL: gateway.url, WEBHOOK_SECRET: secret };
  resources.use(await start(loadConfig({ ...mesh.env("notification"), ...smtp, ...webhook })));
  notifications = await mesh.client(NotificationService, "notification", "operator");
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: mesh.database("notification").url, telemetry }));
});
afterAll(() => resources.disposeAsync());

/** Each test's customers have names and numbers of their own: all share one shop. */
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

const profile = (userId: string, wishes: Partial<Omit<Contact, "version">>, version: bigint) =>
  mesh.publish(
    ProfileUpdatedSchema,
    { userId, email: addressOf(userId), displayName: "Ann", notifyByEmail: false, ...wishes },
    { version },
  );
/** Once it has learnt of the profile: events of two services come in any order. */
const knows = (userId: string, version: number) =>
  eventually(async () => {
    const sql = "SELECT version FROM contacts WHERE user_id = ?";
    expect(await database.query("test.contact", sql, [userId])).toMatchObject([{ version: String(version) }]);
  });

const storeOfOurs = () =>
  createMessageStore({ database, clock: systemClock, onQueued: () => {}, traceparent: () => undefined });

async function webhooksTo(to: string): Promise<CaughtWebhook[]> {
  return (await (await fetch(`${gateway.url}/messages?to=${encodeURIComponent(to)}`)).json()) as CaughtWebhook[];
}
const fault = (what: object) => fetch(`${gateway.url}/v1/faults`, { method: "POST", body: JSON.stringify(what) });

async function messagesOf(userId: string) {
  const { messages } = await notifications.listMessages({ userId });
  return messages.map(({ channel, state, subject, attempts, failure }) => ({
    ...{ channel, state, subject, attempts, failure },
  }));
}

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

test("a contact that arrives while an order is being confirmed is not missed", async () => {
  const store = storeOfOurs();
  const total = { currencyCode: "EUR", minorUnits: 500n };
  const user = { userId: "eve", email: addressOf("eve"), displayName: "Eve" };
  let greeting: Promise<void> | undefined;
  await database.transaction("test.confirm", async (confirming) => {
    const inbox = store.inbox(confirming);
    const slow = {
      ...inbox,
      async queue(message: NewMessage) {
        greeting ??= database.transaction("test.greet", (tx) =>
          greet(store.inbox(tx), { ...user, eventId: "eve-greeting", version: 1n }),
        );
        await Promise.race([greeting, database.query("test.pause", "SELECT SLEEP(0.2)")]);
        await inbox.queue(message);
      },
    };
    const notice = orderConfirmation({ orderId: "ord_eve", lines: [], total });
    await tellOfOrder(slow, { userId: "eve", eventId: "eve-confirmation" }, notice);
  });
  await greeting;
  await eventually(async () => expect(await mailsTo("eve")).toHaveLength(2));
  expect(await messagesOf("eve")).toHaveLength(2);
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
  const changed = { userId: "dan", email: addressOf("dan-new"), displayName: "Dan" };
  await mesh.publish(ProfileUpdatedSchema, { ...changed, notifyByEmail: true }, { version: 2n });
  await confirm("dan", "ord_dan_1");
  await eventually(async () => expect(await mailsTo("dan-new")).toHaveLength(1));
  await mesh.publish(ProfileUpdatedSchema, { ...changed, notifyByEmail: false }, { version: 3n });
  await confirm("dan", "ord_dan_2");
  await mesh.publish(ProfileUpdatedSchema, { ...changed, notifyByEmail: true }, { version: 4n });
  await confirm("dan", "ord_dan_3");
  await eventually(async () => expect(await mailsTo("dan-new")).toHaveLength(2));
  const subjects = (await notifications.listEmails({ userId: "dan" })).emails.map(({ subject }) => subject);
  expect(subjects.filter((subject) => subject.includes("ord_dan_2"))).toEqual([]);
});

test("messages that wait for the contact of somebody who wants none are dropped; an older contact changes nothing", async () => {
  const store = storeOfOurs();
  await confirm("flo", "ord_flo");
  await eventually(async () => expect(await messagesOf("flo")).toHaveLength(3));
  const contact = { userId: "flo", email: addressOf("flo"), phone: "", pushToken: "" };
  const save = (notifyByEmail: boolean, version: bigint) =>
    database.transaction("test.contact", (tx) =>
      learnContact(store.inbox(tx), {
        ...{ ...contact, notifyByEmail, version },
        ...{ notifyBySms: false, notifyByPush: false },
      }),
    );
  await save(false, 5n);
  expect(await messagesOf("flo")).toEqual([]);
  await save(true, 4n);
  const found = await database.transaction("test.contact", (tx) => store.inbox(tx).findContact("flo"));
  expect(found).toMatchObject({ ...contact, notifyByEmail: false, version: 5n });
});

test("a message whose user's contact never arrives is given up after a week", async () => {
  await confirm("clerk", "ord_clerk");
  await eventually(async () => expect(await messagesOf("clerk")).toHaveLength(3));
  const sql = "SELECT TIMESTAMPDIFF(DAY, created_at, next_attempt_at) AS days FROM messages WHERE user_id = 'clerk'";
  expect(await database.query("test.days", sql)).toMatchObject(
    Array(3).fill({ days: expect.toSatisfy((n) => Number(n) === 7) }),
  );
  await database.execute("test.aWeekLater", "UPDATE messages SET next_attempt_at = ? WHERE user_id = 'clerk'", [
    new Date(),
  ]);
  await eventually(async () => {
    const given = { state: MessageState.FAILED, failure: "the user's contact has not arrived" };
    expect(await messagesOf("clerk")).toMatchObject([given, given, given]);
  });
});

test("a customer who asks for SMS and push gets those, in the order's trace, and no e-mail", async () => {
  await register("gus");
  await profile("gus", { phone: "+4930000001", pushToken: "device-gus", notifyBySms: true, notifyByPush: true }, 2n);
  await knows("gus", 2);
  await confirm("gus", "ord_gus");
  await eventually(async () => {
    expect(await webhooksTo("+4930000001")).toMatchObject([
      { channel: "sms", text: "Weft: your order ord_gus is confirmed. Total: EUR 5.00.", copies: 1 },
    ]);
    expect(await webhooksTo("device-gus")).toMatchObject([{ channel: "push", title: "Order confirmed", copies: 1 }]);
  });
  const sent = { subject: "Order confirmed", state: MessageState.SENT, attempts: 1, failure: "" };
  await eventually(async () => {
    // Those of one event may be of one moment, or of two.
    expect((await messagesOf("gus")).toSorted((one, other) => one.channel - other.channel)).toEqual([
      { ...sent, channel: Channel.EMAIL, subject: "Welcome to the Weft shop" },
      { ...sent, channel: Channel.SMS },
      { ...sent, channel: Channel.PUSH },
    ]);
  });
  const { messages } = await notifications.listMessages({ userId: "gus" });
  const listed = messages.find(({ channel }) => channel === Channel.SMS);
  const [sms] = await webhooksTo("+4930000001");
  expect(sms?.webhook_id).toBe(listed?.messageId);
  expect(sms?.webhook_id).toBe(`${listed?.eventId}_sms`);
  expect((await notifications.listEmails({ userId: "gus" })).emails).toHaveLength(1);
  const [row] = await database.query<{ traceparent: string }>(
    "test.traceparent",
    "SELECT traceparent FROM messages WHERE message_id = ?",
    [sms?.webhook_id ?? ""],
  );
  expect(sms?.traceparent.slice(0, 35)).toBe(row?.traceparent.slice(0, 35));
});

test("a customer who asks for SMS and has told no number gets an e-mail", async () => {
  await register("hal");
  await profile("hal", { notifyBySms: true }, 2n);
  await knows("hal", 2);
  await confirm("hal", "ord_hal");
  await eventually(async () => {
    expect((await mailsTo("hal")).map(({ subject }) => subject)).toContain("Your order ord_hal is confirmed");
  });
  expect((await messagesOf("hal")).map(({ channel }) => channel)).toEqual([Channel.EMAIL, Channel.EMAIL]);
});

test("an order that is told of before the contact goes the ways that the contact wants, once it has arrived", async () => {
  await confirm("ida", "ord_ida");
  await eventually(async () => expect(await messagesOf("ida")).toHaveLength(3));
  await profile("ida", { phone: "+4930000002", notifyBySms: true }, 7n);
  await eventually(async () => expect(await webhooksTo("+4930000002")).toHaveLength(1));
  await register("ida");
  await eventually(async () => expect(await mailsTo("ida")).toMatchObject([{ subject: "Welcome to the Weft shop" }]));
  expect((await messagesOf("ida")).map(({ channel }) => channel)).toEqual([Channel.EMAIL, Channel.SMS]);
});

test("a gateway that fails is asked again with the same id; what it has taken it does not deliver twice", async () => {
  await register("jan");
  await profile("jan", { phone: "+4930000003", notifyBySms: true }, 2n);
  await knows("jan", 2);
  await fault({ kind: "error", operation: "sms" });
  await fault({ kind: "lost_reply", operation: "sms" });
  await confirm("jan", "ord_jan");
  await eventually(async () => {
    expect(await messagesOf("jan")).toMatchObject([{ state: MessageState.SENT, attempts: 3 }, {}]);
  });
  expect(await webhooksTo("+4930000003")).toMatchObject([{ copies: 2 }]);
});

test("a gateway's final no is written down and not asked for again", async () => {
  await register("kai");
  await profile("kai", { pushToken: "device-kai", notifyByPush: true }, 2n);
  await knows("kai", 2);
  await fault({ kind: "refuse", operation: "push" });
  await confirm("kai", "ord_kai");
  await eventually(async () => {
    const failure = "the gateway answered 400 (refused)";
    expect(await messagesOf("kai")).toMatchObject([{ state: MessageState.FAILED, attempts: 1, failure }, {}]);
  });
  expect(await webhooksTo("device-kai")).toEqual([]);
});

test("a mail server that does not answer keeps no text message waiting", async () => {
  await register("lea");
  await register("mia");
  await profile("lea", { phone: "+4930000004", notifyBySms: true }, 2n);
  await knows("lea", 2);
  await eventually(async () => expect(await mailsTo("mia")).toHaveLength(1));
  await catcher[Symbol.asyncDispose]();
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket.on("error", () => {}))).listen(smtpPort, "127.0.0.1");
  await once(silent, "listening");
  for (let i = 0; i < 40; i += 1) await confirm("mia", `ord_mia_${i}`);
  await confirm("lea", "ord_lea");
  await eventually(async () => expect(await webhooksTo("+4930000004")).toHaveLength(1));
  const sql = "SELECT message_id FROM messages WHERE user_id = 'mia' AND attempts = 0";
  // All of these were due before the text message was.
  expect((await database.query("test.untried", sql)).length).toBeGreaterThan(8);
  silent.close();
  for (const socket of sockets) socket.destroy();
  catcher = await startMailCatcher({ smtpPort, httpPort: 0 });
  await eventually(async () => expect((await mailsTo("mia")).length).toBeGreaterThan(30));
}, 40_000);

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

describe("ListEmails and ListMessages", () => {
  const eventIdOf = (i: number) => `event-${String(i).padStart(2, "0")}`;
  const newestFirst = Array.from({ length: 25 }, (_, i) => eventIdOf(24 - i));

  beforeAll(async () => {
    const now = Date.parse("2026-03-01T12:00:00Z");
    for (let i = 0; i < 25; i += 1) {
      for (const channel of ["EMAIL", "SMS"]) {
        await database.execute(
          "test.insertMessage",
          `INSERT INTO messages (message_id, event_id, user_id, channel, recipient, subject, body, state, created_at, attempts)
           VALUES (?, ?, 'dora', ?, 'd', ?, '', 'SENT', ?, 1)`,
          [
            ...[messageIdOf(eventIdOf(i), channel as "EMAIL"), eventIdOf(i), channel, `subject ${i}`],
            new Date(now + Math.floor(i / 10)),
          ],
        );
      }
    }
  });

  /** All pages of a list, one after the other. */
  async function all<Item>(list: (pageToken: string) => Promise<{ items: Item[]; nextPageToken: string }>) {
    const seen: Item[] = [];
    let pageToken = "";
    do {
      const page = await list(pageToken);
      seen.push(...page.items);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return seen;
  }

  test("go through a user's messages, newest first, page after page, also where many were made in one moment", async () => {
    const emails = await all(async (pageToken) => {
      const page = await notifications.listEmails({ userId: "dora", pageSize: 7, pageToken });
      return { ...page, items: page.emails };
    });
    expect(emails.map(({ eventId }) => eventId)).toEqual(newestFirst);
    const messages = await all(async (pageToken) => {
      const page = await notifications.listMessages({ userId: "dora", pageSize: 7, pageToken });
      return { ...page, items: page.messages };
    });
    expect(messages.map(({ messageId }) => messageId)).toEqual(
      newestFirst.flatMap((eventId) => [messageIdOf(eventId, "SMS"), messageIdOf(eventId, "EMAIL")]),
    );
    expect((await notifications.listEmails({ userId: "dora" })).emails).toHaveLength(20);
    expect((await notifications.listMessages({ userId: "dora" })).messages).toHaveLength(20);
  });

  test.each([
    ["garbage", "garbage"],
    ["a token of another user's list", encodePageToken("emails of eve", ["1", "event-01_email"])],
    ["a token of the list of all messages", encodePageToken("messages of dora", ["1", "event-01_email"])],
    ["a token of this list with another time in it", encodePageToken("emails of dora", ["soon", "event-01_email"])],
    ["one with a time that no e-mail has", encodePageToken("emails of dora", ["8640000000000000", "event-01_email"])],
    ["one with an id that no message has", encodePageToken("emails of dora", ["1", "é"])],
  ])("%s is INVALID_ARGUMENT", async (_what, pageToken) => {
    const listing = notifications.listEmails({ userId: "dora", pageToken });
    await expect(listing).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  test("a user's page, and what is due on a channel, are read by index", async () => {
    const explain = (sql: string, params: SqlValue[]) =>
      database.query<{ key: string; Extra: string }>("test.explain", `EXPLAIN ${sql}`, params);
    const now = new Date();
    const page = await explain(
      `SELECT event_id FROM messages WHERE user_id = 'dora' AND created_at <= ? AND (created_at < ? OR message_id < ?)
       AND channel = 'EMAIL' ORDER BY created_at DESC, message_id DESC LIMIT 8`,
      [now, now, "event-01_email"],
    );
    expect(page).toMatchObject([{ key: "messages_of_user", Extra: expect.not.stringContaining("filesort") }]);
    const due = await explain(
      `SELECT message_id FROM messages WHERE channel = 'SMS' AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT 8`,
      [now],
    );
    expect(due).toMatchObject([{ key: "messages_due", Extra: expect.not.stringContaining("filesort") }]);
  });
});
