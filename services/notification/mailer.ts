import { SpanKind } from "@opentelemetry/api";
import type { Telemetry } from "@weft/mesh/telemetry";
import { createTransport } from "nodemailer";
import { wireIdOf } from "./domain.ts";
import { type Carrier, MessageRefused } from "./usecases.ts";

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
export function createMailer(options: MailerOptions): Carrier & Disposable {
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
    async send(message) {
      const { recipient, subject, body: text, html } = message;
      try {
        // As an object: an address is never parsed as a list of addresses.
        const to = { name: "", address: recipient };
        // RFC 3834: nobody's absence notice is to answer.
        const headers = { "Auto-Submitted": "auto-generated" };
        const mail = { from, to, subject, text, html, headers, messageId: wireIdOf(message) };
        const sent = await telemetry.span("smtp send", { kind: SpanKind.CLIENT }, () => transport.sendMail(mail));
        return withoutAddresses(sent.response);
      } catch (error) {
        // Without its cause, which would bring the address back into the log.
        const { message: said, responseCode = 0 } = error as Error & { responseCode?: number };
        const no = withoutAddresses(said);
        throw responseCode < 500 ? new Error(no) : new MessageRefused(no);
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
