import { describe, expect, test } from "vitest";
import { formatMoney, htmlOf, orderConfirmation, welcome } from "./domain.ts";

describe("formatMoney()", () => {
  test.each([
    ["EUR", 0n, "EUR 0.00"],
    ["EUR", 5n, "EUR 0.05"],
    ["EUR", 123_450n, "EUR 1,234.50"],
    ["EUR", 100_000_000_000_000_001n, "EUR 1,000,000,000,000,000.01"],
    ["JPY", 1_235n, "JPY 1,235"],
    ["KWD", 1_235n, "KWD 1.235"],
    ["EUR", -1_999n, "EUR -19.99"],
  ])("%s %s: %s", (currencyCode, minorUnits, text) => {
    expect(formatMoney({ currencyCode, minorUnits })).toBe(text);
  });
});

test("orderConfirmation() names the order, each line and the total", () => {
  const unitPrice = { currencyCode: "EUR", minorUnits: 250n };
  const { subject, body } = orderConfirmation({
    orderId: "ord_1",
    lines: [{ name: "Apple", quantity: 2, unitPrice }],
    total: { currencyCode: "EUR", minorUnits: 500n },
  });
  expect(subject).toBe("Your order ord_1 is confirmed");
  expect(body).toContain("2 x Apple, EUR 2.50 each");
  expect(body).toContain("Total: EUR 5.00");
});

test("htmlOf() makes paragraphs and lists, and nothing of what somebody typed is markup", () => {
  const unitPrice = { currencyCode: "EUR", minorUnits: 250n };
  const lines = [{ name: "<script>alert('&')</script>", quantity: 2, unitPrice }];
  const html = htmlOf(orderConfirmation({ orderId: "ord_1", lines, total: unitPrice }));
  expect(html).toContain("<p>Thank you for your order.</p><ul><li>2 x &lt;script&gt;alert(&#39;&amp;&#39;)");
  expect(html).not.toContain("<script>");
});

test("a name with line breaks cannot add paragraphs to an e-mail", () => {
  const { subject, body } = welcome({ displayName: "Eve\r\n\r\nYou have won. Pay at http://evil.test" });
  expect(subject).not.toContain("Eve");
  expect(body).toContain("Hello Eve You have won. Pay at http://evil.test,\n");
});
