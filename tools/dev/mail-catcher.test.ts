import { createTransport } from "nodemailer";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CaughtMessage, type MailCatcher, startMailCatcher } from "./mail-catcher.ts";

let catcher: MailCatcher;

beforeEach(async () => {
  catcher = await startMailCatcher({ smtpPort: 0, httpPort: 0 });
});
afterEach(() => catcher[Symbol.asyncDispose]());

async function send(mail: { to: string; subject: string; text: string; messageId: string }) {
  const transport = createTransport(`smtp://127.0.0.1:${catcher.smtpPort}`);
  await transport.sendMail({ from: "shop@weft.local", ...mail });
  transport.close();
}

const messages = async (query = "") =>
  (await (await fetch(`${catcher.url}/messages${query}`)).json()) as CaughtMessage[];

test("a message that was sent can be read, duplicates as often as they came", async () => {
  const mail = {
    to: "ada@example.com",
    subject: "Bestätigt: 1 × Grün",
    text: "Danke für 19,99 €",
    messageId: "<evt_1@weft>",
  };
  await send(mail);
  await send(mail);
  const caught = await messages();
  expect(caught).toHaveLength(2);
  expect(caught[0]).toMatchObject({
    message_id: "<evt_1@weft>",
    from: "shop@weft.local",
    to: ["ada@example.com"],
    subject: mail.subject,
    text: mail.text,
  });
});

test("messages can be asked for by recipient, and cleared", async () => {
  await send({ to: "a@example.com", subject: "A", text: "a", messageId: "<1@weft>" });
  await send({ to: "b@example.com", subject: "B", text: "b", messageId: "<2@weft>" });
  expect((await messages("?to=b@example.com")).map((message) => message.subject)).toEqual(["B"]);
  expect((await messages("?limit=1")).map((message) => message.subject)).toEqual(["B"]);
  await fetch(`${catcher.url}/messages`, { method: "DELETE" });
  expect(await messages()).toEqual([]);
});

test("a message over 1 MiB is refused with 552", async () => {
  const big = { to: "a@example.com", subject: "big", text: "line of text\n".repeat(100_000), messageId: "<3@weft>" };
  await expect(send(big)).rejects.toMatchObject({ responseCode: 552 });
});
