import type { Logger } from "@weft/mesh/telemetry";
import { type Content, type Email, type Money, type OrderedLine, orderConfirmation, welcome } from "./domain.ts";

/** How a user is to be written to, as of a version of the user. */
export interface Contact {
  readonly userId: string;
  readonly email: string;
  /** Whether the user wants to be told of his orders by e-mail. */
  readonly notifyByEmail: boolean;
  readonly version: bigint;
}

/** Contacts and e-mails inside the transaction of an event. */
export interface Inbox {
  /**
   * Remembers a contact, unless a later one is known, and gives the address to the e-mails that wait for it; they are dropped if
   * the user wants none.
   */
  saveContact(contact: Contact): Promise<void>;
  /** A user's contact; an empty address if it has not arrived, which it then cannot do before the transaction ends. */
  findContact(userId: string): Promise<Pick<Contact, "email" | "notifyByEmail">>;
  /** Queues an e-mail, to be sent once it has a recipient; the same event's again changes nothing. */
  queue(email: Pick<Email, "eventId" | "userId" | "recipient" | "subject" | "body">): Promise<void>;
}

/** Somebody has opened an account: remembers the address, and greets. */
export async function greet(
  inbox: Inbox,
  event: {
    readonly eventId: string;
    readonly userId: string;
    readonly email: string;
    readonly displayName: string;
    readonly version: bigint;
  },
): Promise<void> {
  const { eventId, userId, email: recipient, version } = event;
  await inbox.saveContact({ userId, email: recipient, notifyByEmail: true, version });
  await inbox.queue({ eventId, userId, recipient, ...welcome(event) });
}

/** An order is confirmed: tells the customer, if need be as soon as the address has arrived. */
export async function confirmOrder(
  inbox: Inbox,
  event: {
    readonly eventId: string;
    readonly orderId: string;
    readonly userId: string;
    readonly lines: readonly OrderedLine[];
    readonly total: Money;
  },
): Promise<void> {
  await tellOfOrder(inbox, event, orderConfirmation(event));
}

/** Something has become of an order: tells the customer, if he wants to hear of it, if need be as soon as the address has arrived. */
export async function tellOfOrder(
  inbox: Inbox,
  event: { readonly eventId: string; readonly userId: string },
  content: Content,
): Promise<void> {
  const { eventId, userId } = event;
  const { email: recipient, notifyByEmail } = await inbox.findContact(userId);
  if (notifyByEmail) await inbox.queue({ eventId, userId, recipient, ...content });
}

/** Hands an e-mail to a mail server. */
export interface Mailer {
  /** Returns the server's answer once it has accepted the e-mail. @throws MailRefused if it never will */
  send(email: Email): Promise<string>;
}

/** The mail server's final no (SMTP 5xx): asking again would be answered the same. */
export class MailRefused extends Error {
  override name = "MailRefused";
}

export interface SendDeps {
  readonly emails: {
    get(eventId: string): Promise<Email | undefined>;
    markSent(eventId: string): Promise<void>;
    markFailed(eventId: string): Promise<void>;
  };
  readonly mailer: Mailer;
  readonly logger: Logger;
}

/** Attempts in all; with the worker's backoff, a mail server may be away for more than an hour. */
export const attemptsMax = 30;

/**
 * Sends one queued e-mail. A crash between the server's yes and the commit sends it again, with the same Message-ID: SMTP has no
 * way to ask. The log lines before and after the server's yes are how one can tell: the yes itself may be lost in the crash.
 *
 * @throws what went wrong, if it is worth another attempt
 */
export async function sendEmail(
  deps: SendDeps,
  row: { readonly eventId: string; readonly attempts: number },
): Promise<undefined> {
  const { emails, mailer, logger } = deps;
  const email = await emails.get(row.eventId);
  if (email?.state !== "QUEUED") return;
  const { eventId, userId } = email;
  const fields = { event_id: eventId, user_id: userId, message_id: messageId(eventId), attempts: row.attempts };
  try {
    logger.info("smtp sending", fields);
    const answer = await mailer.send(email);
    logger.info("smtp accepted", { ...fields, answer });
  } catch (error) {
    if (!(error instanceof MailRefused) && row.attempts < attemptsMax) throw error;
    logger.error("e-mail given up", { ...fields, error });
    await emails.markFailed(email.eventId);
    return;
  }
  await emails.markSent(email.eventId);
}

/** RFC 5322 Message-ID of the e-mail that an event has caused. */
export function messageId(eventId: string): string {
  return `<${eventId}@weft.local>`;
}
