import { SpanKind } from "@opentelemetry/api";
import type { Telemetry } from "@weft/mesh/telemetry";
import { createTransport } from "nodemailer";
import { htmlOf } from "./domain.ts";
import { type Mailer, MailRefused, messageId } from "./usecases.ts";

export interface MailerOptions {
  /** smtp://host:port, smtps://user:password@host:port */
  readonly smtpUrl: string;
  /** The From header. */
  readonly from: string;
  readonly telemetry: Pick<Telemetry, "span">;
  /** Connections at most. */
  readonly connectionsMax?: number;
  /** Of each step: connecting, the greeting, silence. Below the worker's lease. */
  readonly timeoutMs?: number;
}

/** Sends through one SMTP server, over a few connections that stay open. */
export function createMailer(options: MailerOptions): Mailer & Disposable {
  const { smtpUrl, from, telemetry, connectionsMax = 4, timeoutMs = 4_000 } = options;
  const url = new URL(smtpUrl);
  const transport = createTransport({
    pool: true,
    host: url.hostname,
    port: Number(url.port || (url.protocol === "smtps:" ? 465 : 25)),
    secure: url.protocol === "smtps:",
    ...(url.username !== "" && {
      auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
    }),
    maxConnections: connectionsMax,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    // What is sent is text made here: no file and no URL of anybody's is to be fetched into it.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ eventId, recipient, subject, body }) {
      try {
        // As an object: an address is never parsed as a list of addresses.
        const to = { name: "", address: recipient };
        const html = htmlOf({ subject, body });
        const mail = { from, to, subject, text: body, html, messageId: messageId(eventId) };
        const sent = await telemetry.span("smtp send", { kind: SpanKind.CLIENT }, () => transport.sendMail(mail));
        return withoutAddresses(sent.response);
      } catch (error) {
        // Without its cause, which would bring the address back into the log.
        const { message, responseCode = 0 } = error as Error & { responseCode?: number };
        const text = withoutAddresses(message);
        throw responseCode < 500 ? new Error(text) : new MailRefused(text);
      }
    },
    [Symbol.dispose]() {
      transport.close();
    },
  };
}

/** Mail servers repeat the address that they speak of; what they say is logged. */
function withoutAddresses(text: string): string {
  return text.replaceAll(/[^\s<>]+@[^\s<>]+/g, "address");
}
