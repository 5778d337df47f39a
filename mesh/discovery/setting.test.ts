import { describe, expect, test } from "vitest";
import { readDiscovery } from "./setting.ts";

describe("WEFT_DISCOVERY", () => {
  test("left out, names nobody", () => {
    expect(readDiscovery({})).toEqual({ source: "static", instances: new Map() });
  });

  test("static: lists instances, with their labels", () => {
    const text = "static:catalog=127.0.0.1:7120, inventory=localhost:7130|[::1]:7130;version=2.0;zone=b;weight=3";
    expect(readDiscovery({ WEFT_DISCOVERY: text })).toEqual({
      source: "static",
      instances: new Map([
        ["catalog", [{ address: "127.0.0.1:7120" }]],
        ["inventory", [{ address: "localhost:7130" }, { address: "[::1]:7130", version: "2.0", zone: "b", weight: 3 }]],
      ]),
    });
  });

  test("dns: names what stands for all instances of a service", () => {
    expect(readDiscovery({ WEFT_DISCOVERY: "dns:catalog=catalog.shop:7100" })).toEqual({
      source: "dns",
      names: new Map([["catalog", { host: "catalog.shop", port: 7100 }]]),
    });
  });

  test("nats: names a namespace, at NATS_URL", () => {
    expect(readDiscovery({ WEFT_DISCOVERY: "nats:shop", NATS_URL: "nats://127.0.0.1:7002" })).toEqual({
      source: "nats",
      namespace: "shop",
      url: "nats://127.0.0.1:7002",
    });
  });

  test.each([
    "catalog=127.0.0.1:7120",
    "consul:shop",
    "static:catalog",
    "static:catalog=",
    "static:catalog=127.0.0.1",
    "static:catalog=127.0.0.1:7120|",
    "static:catalog=127.0.0.1:7120,catalog=127.0.0.1:7220",
    "static:Catalog=127.0.0.1:7120",
    "static:catalog=127.0.0.1:7120;color=red",
    "static:catalog=127.0.0.1:7120;weight=0",
    "static:catalog=127.0.0.1:7120;weight=x",
    "static:catalog=127.0.0.1:7120;version=",
    "dns:catalog=a:1|b:2",
    "nats:",
    "nats:shop.*",
  ])("%s is refused, naming the setting", (text) => {
    expect(() => readDiscovery({ WEFT_DISCOVERY: text, NATS_URL: "nats://127.0.0.1:7002" })).toThrow(/^WEFT_DISCOVERY/);
  });

  test("nats: without NATS_URL is refused, naming that", () => {
    expect(() => readDiscovery({ WEFT_DISCOVERY: "nats:shop" })).toThrow(/^NATS_URL/);
  });
});
