import { type Channel, type Content, formatMoney, type Money, type OrderedLine, oneLine } from "./domain.ts";
import { type Letter, letterHtml, letterText } from "./letter.ts";
import { gsmLength, gsmShortened, gsmText, smsLengthMax } from "./sms-text.ts";

/** What customers are told, in each channel's own way. */
export interface Notice {
  readonly email: Letter;
  readonly sms: string;
  readonly push: { readonly title: string; readonly body: string };
}

/** Longer ones are cut by telephones, each in its own way. */
const pushBodyLengthMax = 178;

/** A notice as one channel says it. */
export function contentOf(notice: Notice, channel: Channel): Content {
  const { email, sms, push } = notice;
  switch (channel) {
    case "EMAIL":
      return emailOf(email);
    case "SMS":
      return { subject: push.title, body: sms, html: undefined };
    case "PUSH":
      return { subject: push.title, body: push.body, html: undefined };
  }
}

/** A letter as an e-mail, in plain text and in HTML. */
export function emailOf(letter: Letter): Content {
  return { subject: oneLine(letter.subject), body: letterText(letter), html: letterHtml(letter) };
}

/** The letter that greets a new customer. */
export function welcome(customer: { readonly displayName: string }): Letter {
  return {
    subject: "Welcome to the Weft shop",
    heading: "Welcome",
    blocks: [
      { type: "text", text: `Hello ${customer.displayName},` },
      { type: "text", text: "your account is open. Have a look around." },
    ],
  };
}

/** Tells that an order is confirmed, and what is in it. */
export function orderConfirmation(order: {
  readonly orderId: string;
  readonly lines: readonly OrderedLine[];
  readonly total: Money;
}): Notice {
  const { orderId, lines, total } = order;
  const sum = formatMoney(total);
  return {
    email: {
      subject: `Your order ${orderId} is confirmed`,
      heading: "Your order is confirmed",
      blocks: [
        { type: "text", text: `Thank you for your order ${orderId}.` },
        { type: "order", lines, total },
      ],
    },
    sms: smsOf(`Weft: your order ${orderId} is confirmed. Total: ${sum}.`),
    push: pushOf("Order confirmed", `Thank you for your order ${orderId}. Total: ${sum}.`),
  };
}

/** Tells that an order waits for its payment, and what can be done. */
export function paymentAwaited(order: {
  readonly orderId: string;
  readonly total: Money;
  readonly paymentInstructions: string;
}): Notice {
  const { orderId, paymentInstructions } = order;
  const sum = formatMoney(order.total);
  return {
    email: {
      subject: `Your order ${orderId} waits for its payment`,
      heading: "Your order waits for its payment",
      blocks: [
        { type: "text", text: `We have kept your order ${orderId} of ${sum} for you.` },
        { type: "notice", text: paymentInstructions },
      ],
    },
    sms: smsOf(`Weft: your order ${orderId} of ${sum} waits for its payment.`, paymentInstructions),
    push: pushOf("Order waits for its payment", `${sum}. ${paymentInstructions}`),
  };
}

/** Tells that an order is cancelled, and why, unless it was the customer who has asked for it. */
export function orderCancellation(order: {
  readonly orderId: string;
  readonly reason: string;
  readonly isByCustomer: boolean;
}): Notice {
  const { orderId, reason, isByCustomer } = order;
  const what = isByCustomer ? `${orderId} is cancelled, as you asked` : `${orderId} is cancelled: ${reason}`;
  const givenBack = "If anything was charged, it is given back the way it was paid.";
  return {
    email: {
      subject: `Your order ${orderId} is cancelled`,
      heading: "Your order is cancelled",
      blocks: [
        { type: "text", text: `Your order ${what}.` },
        { type: "text", text: givenBack },
      ],
    },
    sms: smsOf(
      `Weft: your order ${orderId} is cancelled. What was charged is given back.`,
      isByCustomer ? "" : `Reason: ${reason}`,
    ),
    push: pushOf("Order cancelled", `Your order ${what}. ${givenBack}`),
  };
}

/** Tells that the parcel has left, and its number at the carrier. */
export function orderShipment(order: { readonly orderId: string; readonly trackingNumber: string }): Notice {
  const { orderId, trackingNumber } = order;
  return {
    email: {
      subject: `Your order ${orderId} is on its way`,
      heading: "Your order is on its way",
      blocks: [
        { type: "text", text: `The parcel of your order ${orderId} has left our warehouse.` },
        { type: "notice", text: `The carrier's number is ${trackingNumber}.` },
      ],
    },
    // Cut, the number would be of no use: rather a second part.
    sms: smsOf(`Weft: your order ${orderId} is on its way. The carrier's number: ${trackingNumber}`),
    push: pushOf("Order on its way", `Order ${orderId}: the carrier's number is ${trackingNumber}.`),
  };
}

/** A text message: what must be said, and what is cut to the room that this leaves in one message. */
function smsOf(text: string, more = ""): string {
  const said = gsmText(oneLine(text));
  const room = smsLengthMax - gsmLength(said) - 1;
  const rest = gsmText(oneLine(more));
  return rest === "" || room < 4 ? said : `${said} ${gsmShortened(rest, room)}`;
}

function pushOf(title: string, body: string): Notice["push"] {
  const characters = Array.from(new Intl.Segmenter("en").segment(oneLine(body)), ({ segment }) => segment);
  if (characters.length <= pushBodyLengthMax) return { title, body: characters.join("") };
  return {
    title,
    body: `${characters
      .slice(0, pushBodyLengthMax - 1)
      .join("")
      .trimEnd()}…`,
  };
}
