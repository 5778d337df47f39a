import { expect, test } from "vitest";
import { serviceNameOf, spiffeId, spiffeIdOf } from "./spiffe.ts";

test.each([
  ["URI:spiffe://weft.local/order, DNS:localhost, IP Address:127.0.0.1", "spiffe://weft.local/order"],
  ["DNS:localhost, URI:spiffe://weft.local/order", "spiffe://weft.local/order"],
  ["DNS:localhost", undefined],
  ["URI:https://weft.local/order", undefined],
  ["URI:spiffe://weft.local/order, URI:spiffe://weft.local/admin", undefined],
  ['DNS:"x, URI:spiffe://weft.local/admin", URI:spiffe://weft.local/order', undefined],
  ["", undefined],
  [undefined, undefined],
])("spiffeIdOf(%s) is %s", (text, expected) => {
  expect(spiffeIdOf(text)).toBe(expected);
});

test("serviceNameOf() knows only its own trust domain", () => {
  expect(serviceNameOf("weft.local", spiffeId("weft.local", "order"))).toBe("order");
  expect(serviceNameOf("weft.local", spiffeId("weft.local.evil", "order"))).toBeUndefined();
});
