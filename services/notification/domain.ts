/** An exact amount: a whole number of the currency's smallest unit. */
export interface Money {
  /** ISO 4217. */
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

export interface OrderedLine {
  readonly name: string;
  readonly quantity: number;
  readonly unitPrice: Money;
}

/** The ways to a customer. */
export const channels = ["EMAIL", "SMS", "PUSH"] as const;
export type Channel = (typeof channels)[number];

/** Where a customer can be reached, and how he wants to be told of his orders. */
export interface Contact {
  readonly userId: string;
  readonly email: string;
  /** E.164; empty if unknown. */
  readonly phone: string;
  /** The device's address at the push gateway; empty if it has none. */
  readonly pushToken: string;
  readonly notifyByEmail: boolean;
  readonly notifyBySms: boolean;
  readonly notifyByPush: boolean;
  /** Of the user, when this was told. */
  readonly version: bigint;
}

/** One way to one customer. */
export interface Recipient {
  readonly channel: Channel;
  /** What the channel knows him by: an e-mail address, a telephone number, a device's token. */
  readonly address: string;
}

/** What one channel is to say. */
export interface Content {
  /** An e-mail's subject, a push message's title; a text message has none, here it says what it is about. */
  readonly subject: string;
  /** Plain text. */
  readonly body: string;
  /** The same as an HTML document; e-mails have it. */
  readonly html: string | undefined;
}

export type MessageState = "QUEUED" | "SENT" | "FAILED";

/** A message on one channel that an event has caused. */
export interface Message extends Content {
  readonly messageId: string;
  readonly eventId: string;
  readonly userId: string;
  readonly channel: Channel;
  /** Empty while the user's contact has not arrived. */
  readonly recipient: string;
  readonly state: MessageState;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly sentAt: Date | undefined;
  /** Why it was given up; empty if it was not. */
  readonly failure: string;
}

/**
 * How a customer is told of his orders: on each channel that he wants, nowhere if he wants none. A channel without a number or a
 * token is an e-mail instead: he has asked to be told.
 */
export function recipientsOf(contact: Contact): Recipient[] {
  const { email, phone, pushToken } = contact;
  const sms = contact.notifyBySms && phone !== "";
  const push = contact.notifyByPush && pushToken !== "";
  const instead = (contact.notifyBySms && !sms) || (contact.notifyByPush && !push);
  return [
    ...(contact.notifyByEmail || instead ? [{ channel: "EMAIL", address: email } as const] : []),
    ...(sms ? [{ channel: "SMS", address: phone } as const] : []),
    ...(push ? [{ channel: "PUSH", address: pushToken } as const] : []),
  ];
}

/** The id of what an event says on a channel: whatever happens, the same. Letters, digits and "_", as Standard Webhooks wants. */
export function messageIdOf(eventId: string, channel: Channel): string {
  return `${eventId}_${channel.toLowerCase()}`;
}

/** The id by which the receiver can tell a second copy: an e-mail's RFC 5322 Message-ID, a webhook's webhook-id. */
export function wireIdOf({ messageId, eventId, channel }: Pick<Message, "messageId" | "eventId" | "channel">): string {
  return channel === "EMAIL" ? `<${eventId}@weft.local>` : messageId;
}

/** "EUR 1,234.50", exact whatever the size; "JPY 1,235". */
export function formatMoney({ currencyCode, minorUnits }: Money): string {
  const digits = fractionDigits(currencyCode);
  const sign = minorUnits < 0n ? "-" : "";
  const text = (minorUnits < 0n ? -minorUnits : minorUnits).toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${currencyCode} ${sign}${whole}${digits === 0 ? "" : `.${text.slice(-digits)}`}`;
}

function fractionDigits(currencyCode: string): number {
  const { maximumFractionDigits = 2 } = new Intl.NumberFormat("en", {
    style: "currency",
    currency: currencyCode,
  }).resolvedOptions();
  return maximumFractionDigits;
}

/** What somebody typed as one line: it must not look like a paragraph, a header or another direction of writing. */
export function oneLine(text: string): string {
  return text
    .replace(/[\s\p{Cc}]+/gu, " ")
    .replace(/\p{Bidi_Control}/gu, "")
    .trim();
}
