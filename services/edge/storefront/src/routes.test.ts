import { expect, test } from "vitest";
import { matchRoute, safeNext } from "./routes.ts";

const routes = [
  ["/", "home"],
  ["/products/:sku", "product"],
  ["/orders", "orders"],
  ["/orders/:id", "order"],
] as const;

test.each([
  ["/", "home", {}],
  ["/products/COF-1", "product", { sku: "COF-1" }],
  ["/products/a%2Fb", "product", { sku: "a/b" }],
  ["/orders/", "orders", {}],
  ["/orders/ord_1", "order", { id: "ord_1" }],
])("%s is the %s", (path, target, params) => {
  expect(matchRoute(routes, path)).toEqual({ target, params });
});

test.each(["/products", "/products/a/b", "/nowhere", "/products/%E0%A4%A"])("%s is nowhere", (path) => {
  expect(matchRoute(routes, path)).toBeUndefined();
});

test.each([
  ["/checkout?x=1", "/checkout?x=1"],
  ["//evil.test", "/"],
  ["/\\evil.test", "/"],
  ["https://evil.test", "/"],
  ["javascript:alert(1)", "/"],
  [null, "/"],
])("after logging in, %s leads to %s", (next, path) => {
  expect(safeNext(next)).toBe(path);
});
