import { describe, expect, test } from "vitest";
import { type Contact, formatMoney, messageIdOf, oneLine, recipientsOf, wireIdOf } from "./domain.ts";

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

describe("recipientsOf()", () => {
  const email = "ann@shop.test";
  const phone = "+4930123456";
  const pushToken = "device-1";
  const contact: Contact = {
    ...{ userId: "ann", email, phone: "", pushToken: "", version: 1n },
    ...{ notifyByEmail: false, notifyBySms: false, notifyByPush: false },
  };
  test.each<[string, Partial<Contact>, string[]]>([
    ["nothing wanted", { phone, pushToken }, []],
    ["e-mail", { notifyByEmail: true, phone, pushToken }, [`EMAIL ${email}`]],
    ["SMS", { notifyBySms: true, phone, pushToken }, [`SMS ${phone}`]],
    ["push", { notifyByPush: true, phone, pushToken }, [`PUSH ${pushToken}`]],
    [
      "all",
      { notifyByEmail: true, notifyBySms: true, notifyByPush: true, phone, pushToken },
      [`EMAIL ${email}`, `SMS ${phone}`, `PUSH ${pushToken}`],
    ],
    ["SMS without a number: an e-mail", { notifyBySms: true, pushToken }, [`EMAIL ${email}`]],
    ["push without a token: an e-mail", { notifyByPush: true, phone }, [`EMAIL ${email}`]],
    ["neither number nor token: one e-mail", { notifyBySms: true, notifyByPush: true }, [`EMAIL ${email}`]],
    [
      "SMS, and push without a token",
      { notifyBySms: true, notifyByPush: true, phone },
      [`EMAIL ${email}`, `SMS ${phone}`],
    ],
  ])("%s", (_what, wishes, expected) => {
    const recipients = recipientsOf({ ...contact, ...wishes });
    expect(recipients.map(({ channel, address }) => `${channel} ${address}`)).toEqual(expected);
  });
});

test("an event's messages have an id each, which a webhook can have, and an e-mail its Message-ID", () => {
  const eventId = "01J00000000000000000000000";
  const ids = (["EMAIL", "SMS", "PUSH"] as const).map((channel) => messageIdOf(eventId, channel));
  expect(ids).toEqual([`${eventId}_email`, `${eventId}_sms`, `${eventId}_push`]);
  expect(wireIdOf({ eventId, channel: "SMS", messageId: `${eventId}_sms` })).toBe(`${eventId}_sms`);
  expect(wireIdOf({ eventId, channel: "EMAIL", messageId: `${eventId}_email` })).toBe(`<${eventId}@weft.local>`);
});

test.each([
  ["Eve\r\n\r\nYou have won", "Eve You have won"],
  [" a \t b\u0000c ", "a b c"],
  ["\u202Egro.live", "gro.live"],
  ["O'Neill & Søn", "O'Neill & Søn"],
])("oneLine(%j) is %j", (text, line) => {
  expect(oneLine(text)).toBe(line);
});
