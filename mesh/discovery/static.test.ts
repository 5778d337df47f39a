import { expect, test } from "vitest";
import type { Instance } from "../contract/discovery.ts";
import { createStaticDiscovery } from "./static.ts";

const discovery = createStaticDiscovery(
  new Map([["catalog", [{ address: "127.0.0.1:1" }, { address: "b:2", zone: "x" }]]]),
);

test("what is written down is known at once", () => {
  const heard: (readonly Instance[])[] = [];
  using _watch = discovery.watch("catalog", (instances) => heard.push(instances));
  expect(heard).toEqual([[{ address: "127.0.0.1:1" }, { address: "b:2", zone: "x" }]]);
});

test("a service that is not written down is an error that says what to add", () => {
  expect(() => discovery.watch("order", () => {})).toThrow("add order=host:port to WEFT_DISCOVERY=static:");
});
