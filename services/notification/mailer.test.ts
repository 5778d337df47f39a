import type { AddressInfo, Socket } from "node:net";
import { createTelemetry } from "@weft/mesh/telemetry";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { afterEach, expect, test } from "vitest";
import type { Message } from "./domain.ts";
import { createMailer } from "./mailer.ts";
import { MessageRefused } from "./usecases.ts";

const telemetry = createTelemetry({ service: "notification", logLevel: "error" });
const resources: Disposable[] = [];
afterEach(() => {
  for (const resource of resources.splice(0).toReversed()) resource[Symbol.dispose]();
});

const email: Message = {
  messageId: "01J00000000000000000000000_email",
  eventId: "01J00000000000000000000000",
  userId: "usr_1",
  channel: "EMAIL",
  recipient: "ann@shop.test",
  subject: "Grüße",
  body: "Hello\n.\nthere\n",
  html: '<html lang="en"><p>Hello</p></html>',
  state: "QUEUED",
  failure: "",
  attempts: 1,
  createdAt: new Date(),
  sentAt: undefined,
};

/** A mail server that answers as told, and a mailer that uses it. */
async function mailerFor(options: SMTPServerOptions, silent = false) {
  const received: { to: string[]; data: string }[] = [];
  const server: SMTPServer = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk) => chunks.push(chunk));
      stream.on("end", () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        received.push({ to, data: Buffer.concat(chunks).toString() });
        if (!silent) done();
      });
    },
    ...options,
  });
  // Connections that a test cuts are no news.
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const smtpUrl = `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`;
  const mailer = createMailer({ smtpUrl, from: "Weft <shop@weft.local>", telemetry, timeoutMs: 300 });
  resources.push({ [Symbol.dispose]: () => server.close() }, mailer);
  return { mailer, received, server };
}

function refusal(code: number): Error {
  return Object.assign(new Error("no"), { responseCode: code });
}

test("sends text as it is, to one recipient, with the event's id as Message-ID", async () => {
  const { mailer, received } = await mailerFor({});
  expect(await mailer.send(email)).toMatch(/^250/);
  expect(received[0]?.to).toEqual(["ann@shop.test"]);
  expect(received[0]?.data).toContain(`Message-ID: <${email.eventId}@weft.local>`);
  expect(received[0]?.data).toContain("From: Weft <shop@weft.local>");
  expect(received[0]?.data).toMatch(/Hello\r\n\.\r\nthere/);
  expect(received[0]?.data).toMatch(/multipart\/alternative.*text\/plain.*text\/html.*<p>Hello<\/p>/s);
  expect(received[0]?.data).toContain("Auto-Submitted: auto-generated");
});

test("an e-mail from before there was HTML is plain text alone", async () => {
  const { mailer, received } = await mailerFor({});
  await mailer.send({ ...email, html: undefined });
  expect(received[0]?.data).toMatch(/^Content-Type: text\/plain/m);
  expect(received[0]?.data).not.toContain("text/html");
});

test("an address is never taken for a list of addresses or for headers", async () => {
  const { mailer, received } = await mailerFor({});
  const recipient = "ann@shop.test, eve@evil.test\r\nBcc: eve@evil.test";
  await mailer.send({ ...email, recipient }).catch(() => {});
  expect(received.flatMap(({ to }) => to)).not.toContain("eve@evil.test");
  expect(received.map(({ data }) => data).join()).not.toMatch(/^Bcc:/m);
});

test("the server's final no is MessageRefused", async () => {
  const { mailer } = await mailerFor({ onRcptTo: (_address, _session, done) => done(refusal(550)) });
  await expect(mailer.send(email)).rejects.toBeInstanceOf(MessageRefused);
});

test.each<[string, SMTPServerOptions, boolean]>([
  ["a temporary no", { onRcptTo: (_address, _session, done) => done(refusal(451)) }, false],
  ["a server that accepts and never says so", {}, true],
])("%s is worth another attempt", async (_what, options, silent) => {
  const { mailer } = await mailerFor(options, silent);
  const error = await mailer.send(email).catch((reason) => reason);
  expect(error).toBeInstanceOf(Error);
  expect(error).not.toBeInstanceOf(MessageRefused);
});

test("a server that takes an e-mail and is gone before it says so gets it once: another attempt is the sender's to begin and log", async () => {
  let taken = 0;
  const sockets = new Set<Socket>();
  const { mailer, server } = await mailerFor({
    onData(stream) {
      stream.resume().on("end", () => {
        taken += 1;
        for (const socket of sockets) socket.end();
      });
    },
  });
  server.server.on("connection", (socket: Socket) => sockets.add(socket));
  await expect(mailer.send(email)).rejects.toThrow();
  expect(taken).toBe(1);
});

test.each([550, 451])("a %i that repeats the address: neither the error nor its log line does", async (code) => {
  const no = Object.assign(new Error("5.1.1 <ann@shop.test>: no such user here"), { responseCode: code });
  const { mailer } = await mailerFor({ onRcptTo: (_address, _session, done) => done(no) });
  const error = await mailer.send(email).catch((reason) => reason);
  const lines: string[] = [];
  createTelemetry({ service: "notification", write: (line) => lines.push(line) }).logger.warn("failed", { error });
  expect(lines.join()).toContain(`${code} 5.1.1`);
  expect(lines.join()).toContain("no such user here");
  expect(lines.join()).not.toContain("ann@");
});

test("an answer that repeats the address is handed on without it", async () => {
  const { mailer } = await mailerFor({
    onData(stream, _session, done: (error: null, answer: string) => void) {
      stream.resume().on("end", () => done(null, "OK for <ann@shop.test>"));
    },
  });
  expect(await mailer.send(email)).toBe("250 OK for <address>");
});
