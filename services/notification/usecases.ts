import type { Logger } from "@weft/mesh/telemetry";
import {
  type Channel,
  type Contact,
  channels,
  type Message,
  type Recipient,
  recipientsOf,
  wireIdOf,
} from "./domain.ts";
import { contentOf, emailOf, type Notice, welcome } from "./templates.ts";

/** A message to be queued. */
export type NewMessage = Pick<Message, "eventId" | "userId" | "channel" | "recipient" | "subject" | "body" | "html">;

/** Contacts and messages inside the transaction of an event. */
export interface Inbox {
  /** Remembers a contact, unless a later one is known. Returns the one that is known now. */
  saveContact(contact: Contact): Promise<Contact>;
  /** A user's contact; undefined if it has not arrived, which it then cannot do before the transaction ends. */
  findContact(userId: string): Promise<Contact | undefined>;
  /** Queues a message, to be sent once it has a recipient; the same event's on the same channel again changes nothing. */
  queue(message: NewMessage): Promise<void>;
  /** Gives their recipients to the messages that wait for a user's contact, and drops those on other channels. */
  addressWaiting(userId: string, recipients: readonly Recipient[]): Promise<void>;
}

/** Somebody has told where and how he wants to be told of his orders: what has waited for that is sent now. */
export async function learnContact(inbox: Inbox, contact: Contact): Promise<void> {
  const known = await inbox.saveContact(contact);
  await inbox.addressWaiting(known.userId, recipientsOf(known));
}

/** Somebody has opened an account: remembers the address, and greets. By e-mail, and until he says otherwise so are all others. */
export async function greet(
  inbox: Inbox,
  event: Pick<Contact, "userId" | "email" | "version"> & { readonly eventId: string; readonly displayName: string },
): Promise<void> {
  const { eventId, userId, email, version } = event;
  const wishes = { notifyByEmail: true, notifyBySms: false, notifyByPush: false };
  await learnContact(inbox, { userId, email, phone: "", pushToken: "", ...wishes, version });
  await inbox.queue({ eventId, userId, channel: "EMAIL", recipient: email, ...emailOf(welcome(event)) });
}

/**
 * Something has become of an order: tells the customer on the channels that he wants. While his contact has not arrived nobody knows
 * which those are, so there is a message waiting for it on each.
 */
export async function tellOfOrder(
  inbox: Inbox,
  { eventId, userId }: { readonly eventId: string; readonly userId: string },
  notice: Notice,
): Promise<void> {
  const contact = await inbox.findContact(userId);
  const recipients =
    contact === undefined ? channels.map((channel) => ({ channel, address: "" })) : recipientsOf(contact);
  for (const { channel, address: recipient } of recipients) {
    await inbox.queue({ eventId, userId, channel, recipient, ...contentOf(notice, channel) });
  }
}

/** Hands messages of one channel to whoever delivers them. */
export interface Carrier {
  /** Returns the answer once the message is accepted. @throws MessageRefused if it never will be */
  send(message: Message): Promise<string>;
}

/** A final no: asking again would be answered the same. Its text names no address. */
export class MessageRefused extends Error {
  override name = "MessageRefused";
}

export interface SendDeps {
  readonly messages: {
    get(messageId: string): Promise<Message | undefined>;
    /** @throws ConnectError ABORTED with reason LEASE_LOST if another instance has claimed the message since; so does markFailed */
    markSent(messageId: string, leaseToken: bigint): Promise<void>;
    markFailed(messageId: string, failure: string, leaseToken: bigint): Promise<void>;
  };
  readonly carriers: Readonly<Record<Channel, Carrier>>;
  readonly logger: Logger;
}

/** Attempts in all; with the worker's backoff, whoever delivers may be away for more than an hour. */
export const attemptsMax = 30;

/**
 * Sends one queued message. A crash between the receiver's yes and the commit sends it again, with the same id: a gateway knows it by
 * that; SMTP has no way to ask, and the log lines before and after the server's yes are how one can tell, since the yes itself may be
 * lost in the crash.
 *
 * @throws what went wrong, if it is worth another attempt
 */
export async function sendMessage(
  { messages, carriers, logger }: SendDeps,
  row: { readonly messageId: string; readonly attempts: number; readonly leaseToken: bigint },
): Promise<undefined> {
  const message = await messages.get(row.messageId);
  if (message?.state !== "QUEUED") return;
  const { eventId, userId, channel, messageId } = message;
  const fields = { event_id: eventId, user_id: userId, channel, message_id: wireIdOf(message), attempts: row.attempts };
  if (message.recipient === "") {
    logger.warn("message given up: the user's contact has not arrived", fields);
    await messages.markFailed(messageId, "the user's contact has not arrived", row.leaseToken);
    return;
  }
  try {
    logger.info("message sending", fields);
    const answer = await carriers[channel].send(message);
    logger.info("message accepted", { ...fields, answer });
  } catch (error) {
    if (!(error instanceof MessageRefused) && row.attempts < attemptsMax) throw error;
    logger.error("message given up", { ...fields, error });
    await messages.markFailed(messageId, (error as Error).message, row.leaseToken);
    return;
  }
  await messages.markSent(messageId, row.leaseToken);
}
