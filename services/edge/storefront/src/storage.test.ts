import { expect, test } from "vitest";
import { createStorage } from "./storage.ts";
import { createTestStorage } from "./testing.ts";

test("what is written is read, until it is removed", () => {
  const storage = createTestStorage();
  storage.write("cart", { id: "1" });
  expect(storage.read("cart")).toEqual({ id: "1" });
  storage.remove("cart");
  expect(storage.read("cart")).toBeUndefined();
});

test("where the browser forbids it, what is written lives as long as the page", () => {
  const forbidden = (): never => {
    throw new DOMException("denied", "SecurityError");
  };
  const storage = createStorage({ getItem: forbidden, setItem: forbidden, removeItem: forbidden });
  storage.write("cart", 1);
  expect(storage.read("cart")).toBe(1);
  storage.remove("cart");
  expect(storage.read("cart")).toBeUndefined();
});

test("what somebody else wrote there is nothing", () => {
  const storage = createStorage({ getItem: () => "{broken", setItem: () => undefined, removeItem: () => undefined });
  expect(storage.read("session")).toBeUndefined();
});
