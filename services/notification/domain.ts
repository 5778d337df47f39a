/** An exact amount: a whole number of the currency's smallest unit. */
export interface Money {
  /** ISO 4217. */
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

/** What an e-mail says. */
export interface Content {
  readonly subject: string;
  /** Plain text. */
  readonly body: string;
}

export type EmailState = "QUEUED" | "SENT" | "FAILED";

/** An e-mail that an event has caused. */
export interface Email extends Content {
  /** Of the event; also the Message-ID's left side, so that a mail server or a person can tell a second copy. */
  readonly eventId: string;
  readonly userId: string;
  /** Empty while the user's address has not arrived. */
  readonly recipient: string;
  readonly state: EmailState;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly sentAt: Date | undefined;
}

export interface OrderedLine {
  readonly name: string;
  readonly quantity: number;
  readonly unitPrice: Money;
}

/** The e-mail that greets a new customer. */
export function welcome(customer: { readonly displayName: string }): Content {
  return {
    subject: "Welcome to the Weft shop",
    body: `Hello ${oneLine(customer.displayName)},\n\nyour account is open. Have a look around.\n\nThe Weft shop\n`,
  };
}

/** The e-mail that confirms an order. */
export function orderConfirmation(order: {
  readonly orderId: string;
  readonly lines: readonly OrderedLine[];
  readonly total: Money;
}): Content {
  const lines = order.lines.map(
    ({ quantity, name, unitPrice }) => `  ${quantity} x ${oneLine(name)}, ${formatMoney(unitPrice)} each`,
  );
  return {
    subject: `Your order ${order.orderId} is confirmed`,
    body: [
      "Thank you for your order.",
      "",
      ...lines,
      "",
      `Total: ${formatMoney(order.total)}`,
      "",
      "The Weft shop",
      "",
    ].join("\n"),
  };
}

/** The e-mail that says how an order can still be paid. */
export function paymentAwaited(order: {
  readonly orderId: string;
  readonly total: Money;
  readonly paymentInstructions: string;
}): Content {
  return {
    subject: `Your order ${order.orderId} waits for its payment`,
    body: letter(`We have kept your order of ${formatMoney(order.total)} for you.`, oneLine(order.paymentInstructions)),
  };
}

/** The e-mail that says that an order is cancelled, and why. */
export function orderCancellation(order: { readonly orderId: string; readonly reason: string }): Content {
  return {
    subject: `Your order ${order.orderId} is cancelled`,
    body: letter(
      `Your order is cancelled: ${oneLine(order.reason)}.`,
      "If anything was charged, it is given back the way it was paid.",
    ),
  };
}

/** The e-mail that says that the parcel has left. */
export function orderShipment(order: { readonly orderId: string; readonly trackingNumber: string }): Content {
  return {
    subject: `Your order ${order.orderId} is on its way`,
    body: letter("Your parcel has left our warehouse.", `The carrier's number is ${oneLine(order.trackingNumber)}.`),
  };
}

/** An e-mail's plain text as an HTML document: paragraphs, and its indented lines as a list. */
export function htmlOf({ subject, body }: Content): string {
  const blocks = body.split(/\n{2,}/).map((block) => {
    const lines = block.split("\n").filter((line) => line.trim() !== "");
    if (lines.length === 0) return "";
    const isList = lines.every((line) => line.startsWith("  "));
    const items = lines.map((line) => escapeHtml(line.trim()));
    return isList ? `<ul>${items.map((item) => `<li>${item}</li>`).join("")}</ul>` : `<p>${items.join("<br>")}</p>`;
  });
  const style = "font: 16px/1.5 sans-serif; max-width: 36em; margin: 1em auto; padding: 0 1em";
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>` +
    `<body style="${style}">${blocks.join("")}</body></html>`
  );
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

function letter(...paragraphs: string[]): string {
  return `${[...paragraphs, "The Weft shop"].join("\n\n")}\n`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** A name that somebody typed must not look like a paragraph of ours. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
