import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { channels } from "./domain.ts";
import { gsmLength, gsmText } from "./sms-text.ts";
import {
  contentOf,
  emailOf,
  type Notice,
  orderCancellation,
  orderConfirmation,
  orderShipment,
  paymentAwaited,
  welcome,
} from "./templates.ts";

const orderId = "ord_0701J0000000000000000000000A";
const euros = (minorUnits: bigint) => ({ currencyCode: "EUR", minorUnits });

/** All that is ever told, with one text wherever somebody's may stand. */
function noticesWith(text: string): Record<string, Notice> {
  return {
    confirmation: orderConfirmation({
      ...{ orderId, total: euros(500n) },
      lines: [{ name: text, quantity: 2, unitPrice: euros(250n) }],
    }),
    awaited: paymentAwaited({ orderId, total: euros(500n), paymentInstructions: text }),
    cancellation: orderCancellation({ orderId, reason: text, isByCustomer: false }),
    shipment: orderShipment({ orderId, trackingNumber: text }),
  };
}
const lettersWith = (text: string) => [
  welcome({ displayName: text }),
  ...Object.values(noticesWith(text)).map(({ email }) => email),
];

describe("what is said", () => {
  test.each<[string, Notice, { subject: string; texts: string[]; sms: string; push: string[] }]>([
    [
      "confirmed",
      noticesWith("Apple").confirmation as Notice,
      {
        subject: `Your order ${orderId} is confirmed`,
        texts: ["Thank you for your order", "  2 x Apple, EUR 2.50 each", "Total: EUR 5.00"],
        sms: `Weft: your order ${orderId} is confirmed. Total: EUR 5.00.`,
        push: ["Order confirmed", `Thank you for your order ${orderId}. Total: EUR 5.00.`],
      },
    ],
    [
      "waits for its payment",
      noticesWith("Please wait.").awaited as Notice,
      {
        subject: `Your order ${orderId} waits for its payment`,
        texts: ["EUR 5.00", "Please wait."],
        sms: `Weft: your order ${orderId} of EUR 5.00 waits for its payment. Please wait.`,
        push: ["Order waits for its payment", "EUR 5.00. Please wait."],
      },
    ],
    [
      "cancelled",
      noticesWith("out of stock").cancellation as Notice,
      {
        subject: `Your order ${orderId} is cancelled`,
        texts: ["out of stock", "given back the way it was paid"],
        sms: `Weft: your order ${orderId} is cancelled. What was charged is given back. Reason: out of stock`,
        push: [
          "Order cancelled",
          `Your order ${orderId} is cancelled: out of stock. If anything was charged, it is given back the way it was paid.`,
        ],
      },
    ],
    [
      "cancelled by the customer",
      orderCancellation({ orderId, reason: "cancelled by the customer", isByCustomer: true }),
      {
        subject: `Your order ${orderId} is cancelled`,
        texts: [`Your order ${orderId} is cancelled, as you asked.`, "given back the way it was paid"],
        sms: `Weft: your order ${orderId} is cancelled. What was charged is given back.`,
        push: [
          "Order cancelled",
          `Your order ${orderId} is cancelled, as you asked. If anything was charged, it is given back the way it was paid.`,
        ],
      },
    ],
    [
      "on its way",
      noticesWith("DHL-1").shipment as Notice,
      {
        subject: `Your order ${orderId} is on its way`,
        texts: ["left our warehouse", "DHL-1"],
        sms: `Weft: your order ${orderId} is on its way. The carrier's number: DHL-1`,
        push: ["Order on its way", `Order ${orderId}: the carrier's number is DHL-1.`],
      },
    ],
  ])("an order is %s", (_what, notice, { subject, texts, sms, push }) => {
    const email = contentOf(notice, "EMAIL");
    expect(email.subject).toBe(subject);
    for (const text of texts) {
      expect(email.body).toContain(text);
      if (!text.startsWith("  ") && !text.startsWith("Total")) expect(email.html).toContain(text);
    }
    expect(email.html).toContain(`<title>${subject}</title>`);
    expect(contentOf(notice, "SMS")).toEqual({ subject: push[0], body: sms, html: undefined });
    expect(contentOf(notice, "PUSH")).toEqual({ subject: push[0], body: push[1], html: undefined });
  });

  test("the table of an order has its amounts under heads that say what they are", () => {
    const { html = "" } = contentOf(noticesWith("Apple").confirmation as Notice, "EMAIL");
    const cells = Array.from(html.matchAll(/<(td|th)\b(?: scope="(\w+)")?[^>]*>([^<]*)</g), ([, tag, scope, text]) =>
      [tag, scope, text].filter(Boolean).join(" "),
    );
    expect(cells).toEqual([
      ...["th col Product", "th col Quantity", "th col Each"],
      ...["td Apple", "td 2", "td EUR 2.50"],
      ...["th row Total", "td", "td EUR 5.00"],
    ]);
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
  });

  test("a name with line breaks cannot add paragraphs to an e-mail, nor headers to its subject", () => {
    const { subject, body } = emailOf(welcome({ displayName: "Eve\r\n\r\nYou have won. Pay at http://evil.test" }));
    expect(subject).not.toContain("Eve");
    expect(body).toContain("Hello Eve You have won. Pay at http://evil.test,\n\n");
  });
});

const words = fc.oneof(
  fc.string({ unit: "binary", maxLength: 400 }),
  fc.string({ unit: fc.constantFrom("<", ">", '"', "'", "&", "/", "a", "\n", "\u202E"), maxLength: 60 }),
  fc.constantFrom(
    '<script>alert("&")</script>',
    "</td></tr></table><h1>",
    "&lt;",
    "' onload='x",
    "<!--",
    "]]>",
    "\u2028<",
  ),
);

test("nothing that somebody typed is markup: the elements of an e-mail are the same whatever stands in it", () => {
  const markup = (html: string | undefined) => html?.match(/<[^>]*>/g);
  const expected = lettersWith("x").map((letter) => markup(emailOf({ ...letter, subject: "x" }).html));
  fc.assert(
    fc.property(words, (text) => {
      const actual = lettersWith(text).map((letter) => markup(emailOf({ ...letter, subject: text }).html));
      expect(actual).toEqual(expected);
    }),
  );
});

test("an ampersand of the shop's or of somebody's is written as one", () => {
  fc.assert(
    fc.property(words, (text) => {
      for (const letter of lettersWith(text)) expect(emailOf(letter).html).not.toMatch(/&(?!(amp|lt|gt|quot|#39);)/);
    }),
  );
});

test("a text message is one message in the GSM alphabet, whatever stands in it", () => {
  fc.assert(
    fc.property(words, (text) => {
      const { awaited, cancellation, confirmation, shipment } = noticesWith(text);
      for (const { sms } of [awaited, cancellation, confirmation] as Notice[]) {
        expect(gsmText(sms)).toBe(sms);
        expect(gsmLength(sms)).toBeLessThanOrEqual(160);
      }
      // The carrier's number is never cut; an order's own has 40 characters at most.
      if (text.length <= 40) expect(gsmText(shipment?.sms ?? "")).toBe(shipment?.sms);
    }),
  );
  const { shipment } = noticesWith("N".repeat(40));
  expect(gsmLength(shipment?.sms ?? "")).toBeLessThanOrEqual(160);
});

test("a push message is short, and says on one line that it goes on", () => {
  const { awaited } = noticesWith("👩‍👩‍👧 ".repeat(300));
  const { body } = (awaited as Notice).push;
  expect([...new Intl.Segmenter("en").segment(body)].length).toBeLessThanOrEqual(178);
  expect(body).toMatch(/👩‍👩‍👧…$/u);
});

test("every notice says something on every channel", () => {
  for (const notice of Object.values(noticesWith(""))) {
    for (const channel of channels) {
      const { subject, body, html } = contentOf(notice, channel);
      expect(subject).not.toBe("");
      expect(body).not.toBe("");
      expect(html !== undefined).toBe(channel === "EMAIL");
    }
  }
});
