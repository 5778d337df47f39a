import fc from "fast-check";
import { expect, test } from "vitest";
import { gsmLength, gsmShortened, gsmText } from "./sms-text.ts";

test.each([
  ["Größe: 5 € für Ærø", "Größe: 5 € für Ærø"],
  ["“Crème brûlée” – l’été…", '"Crème brulée" - l\'été...'],
  ["Łódź, Příbor", "Lodz, Pribor"],
  ["ﬁne ½", "fine ?"],
  ["日本 🎁", "?? ?"],
  ["e\u0301", "é"],
])("gsmText(%j) is %j", (text, gsm) => {
  expect(gsmText(text)).toBe(gsm);
});

test.each([
  ["", 0],
  ["abc", 3],
  ["5 €", 4],
  ["[x]", 5],
])("gsmLength(%j) is %i", (text, length) => {
  expect(gsmLength(text)).toBe(length);
});

test.each([
  ["just fits", 9, "just fits"],
  ["does not fit", 9, "does n..."],
  ["does not fit", 8, "does..."],
  ["€€€€€", 9, "€€€..."],
])("gsmShortened(%j, %i) is %j", (text, lengthMax, short) => {
  expect(gsmShortened(text, lengthMax)).toBe(short);
});

test("whatever is typed has a place in the GSM alphabet, once and for all, and can be cut to any length", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 3, max: 160 }), (text, lengthMax) => {
      const gsm = gsmText(text);
      expect(gsmText(gsm)).toBe(gsm);
      expect(gsmLength(gsmShortened(gsm, lengthMax))).toBeLessThanOrEqual(lengthMax);
    }),
  );
});
