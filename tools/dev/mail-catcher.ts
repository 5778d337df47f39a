import type { AddressInfo } from "node:net";
import PostalMime from "postal-mime";
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";
import { type HttpServer, queryLimit, Refusal, serveHttp } from "./outside/http.ts";
import { portFrom, runOutsideParty } from "./outside/run.ts";

/** A message as the catcher tells it; field names as in its JSON. */
export interface CaughtMessage {
  /** The Message-ID header, with its angle brackets. */
  readonly message_id: string;
  /** From the envelope: who gave it and for whom, whatever the headers say. */
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  /** ISO 8601. */
  readonly received_at: string;
}

export interface MailCatcher extends HttpServer {
  readonly smtpPort: number;
}

/** Messages that are kept; the oldest are forgotten first. */
export const MESSAGE_COUNT_MAX = 5_000;
const MESSAGE_BYTES_MAX = 1024 * 1024;
const CLIENT_COUNT_MAX = 50;

/**
 * A mail server that delivers nothing: it keeps the last messages in memory, in the order in which they came, duplicates and all.
 * `GET /messages` (also `?to=` and `?limit=`, the newest then), `DELETE /messages`. Ports of 0 are free ones.
 */
export async function startMailCatcher(options: { smtpPort: number; httpPort: number }): Promise<MailCatcher> {
  let messages: CaughtMessage[] = [];
  const smtp = await listenSmtp(options.smtpPort, (message) => {
    messages.push(message);
    if (messages.length > MESSAGE_COUNT_MAX) messages = messages.slice(-MESSAGE_COUNT_MAX);
  });
  const http = await serveHttp({
    port: options.httpPort,
    bodyBytesMax: 1024,
    async handle({ method, path, query }) {
      if (path === "/health") return { status: 200, body: { status: "ok" } };
      if (path !== "/messages") throw new Refusal(404, "not_found", `nothing at ${method} ${path}`);
      if (method === "DELETE") messages = [];
      const to = query.get("to");
      const asked = to === null ? messages : messages.filter((message) => message.to.includes(to));
      return { status: 200, body: asked.slice(-queryLimit(query, "limit", MESSAGE_COUNT_MAX, MESSAGE_COUNT_MAX)) };
    },
  });
  return {
    ...http,
    smtpPort: (smtp.server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]();
      await new Promise<void>((resolve) => smtp.close(() => resolve()));
    },
  };
}

async function listenSmtp(port: number, caught: (message: CaughtMessage) => void): Promise<SMTPServer> {
  const server = new SMTPServer({
    banner: "weft mail catcher",
    authOptional: true,
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    size: MESSAGE_BYTES_MAX,
    maxClients: CLIENT_COUNT_MAX,
    closeTimeout: 1_000,
    onData(stream, session, done) {
      readMessage(stream, session).then(
        (message) => {
          caught(message);
          done();
        },
        (error: Error) => done(error),
      );
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
  // A client that goes away in the middle is its own affair.
  server.on("error", (error) => process.stderr.write(`smtp: ${error.message}\n`));
  return server;
}

async function readMessage(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<CaughtMessage> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Read to its end all the same: SMTP answers after the last line only.
    if (size <= MESSAGE_BYTES_MAX) chunks.push(chunk);
  }
  if (size > MESSAGE_BYTES_MAX) {
    throw Object.assign(new Error(`over ${MESSAGE_BYTES_MAX} bytes`), { responseCode: 552 });
  }
  const mail = await PostalMime.parse(Buffer.concat(chunks));
  const { mailFrom, rcptTo } = session.envelope;
  return {
    message_id: mail.messageId ?? "",
    from: mailFrom === false ? "" : mailFrom.address,
    to: rcptTo.map((recipient) => recipient.address),
    subject: mail.subject ?? "",
    text: (mail.text ?? "").trimEnd(),
    received_at: new Date().toISOString(),
  };
}

if (import.meta.main) {
  const { env } = process;
  await runOutsideParty("mail-catcher", () =>
    startMailCatcher({ smtpPort: portFrom(env, "SMTP_PORT"), httpPort: portFrom(env, "HTTP_PORT") }),
  );
}
