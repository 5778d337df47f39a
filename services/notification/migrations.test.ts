import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createDatabase, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { expect, test } from "vitest";
import { testDatabase } from "../../tools/dev/testing/engines.ts";

const all = new URL("./migrations/", import.meta.url);

test("e-mails from before there were other channels are messages, those that wait for an address among them", async () => {
  await using resources = new AsyncDisposableStack();
  const schema = resources.use(await testDatabase("notification"));
  const telemetry = resources.use(createTelemetry({ service: "test", logLevel: "error" }));
  const database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const { logger } = telemetry;
  const before = await mkdtemp(join(tmpdir(), "weft-migrations-"));
  resources.defer(() => rm(before, { recursive: true }));
  for (const file of (await readdir(all)).filter((name) => name < "0003"))
    await cp(new URL(file, all), join(before, file));
  await migrate({ database, component: "notification", directory: pathToFileURL(`${before}/`), logger });
  await database.execute(
    "test.insertEmails",
    `INSERT INTO emails (event_id, user_id, recipient, subject, body, state, created_at, next_attempt_at, attempts) VALUES
     ('sent', 'ann', 'ann@shop.test', 'Hello', 'Hello', 'SENT', '2026-03-01', NULL, 1),
     ('due', 'ann', 'ann@shop.test', 'Hello', 'Hello', 'QUEUED', '2026-03-01', '2026-03-01', 1),
     ('waits', 'bob', '', 'Hello', 'Hello', 'QUEUED', '2026-03-01', NULL, 0)`,
  );
  await database.execute("test.insertContact", "INSERT INTO contacts VALUES ('ann', 'ann@shop.test', FALSE, 3)");
  for (let starts = 0; starts < 2; starts += 1) {
    await migrate({ database, component: "notification", directory: all, logger });
  }
  const messages = "SELECT message_id, event_id, channel, state, html, failure FROM messages ORDER BY message_id";
  const old = { channel: "EMAIL", html: null, failure: "" };
  expect(await database.query("test.messages", messages)).toEqual([
    { ...old, message_id: "due_email", event_id: "due", state: "QUEUED" },
    { ...old, message_id: "sent_email", event_id: "sent", state: "SENT" },
    { ...old, message_id: "waits_email", event_id: "waits", state: "QUEUED" },
  ]);
  const contact = { email: "ann@shop.test", phone: "", push_token: "", notify_by_email: 0, notify_by_sms: 0 };
  expect(await database.query("test.contacts", "SELECT * FROM contacts")).toMatchObject([contact]);
});
