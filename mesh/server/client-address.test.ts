import { expect, test } from "vitest";
import { clientAddress, readTrustedProxies } from "./client-address.ts";

const trusted = readTrustedProxies({ PROXIES: "10.0.0.0/8, fd00::/8, 192.0.2.7" }, "PROXIES");

test.each<[string, string | undefined, string | undefined, string | undefined]>([
  ["the peer, where no proxy is", "203.0.113.9", undefined, "203.0.113.9"],
  ["the peer, whatever it says of itself", "203.0.113.9", "198.51.100.1", "203.0.113.9"],
  ["whom our proxy names", "10.1.2.3", "203.0.113.9", "203.0.113.9"],
  ["whom our outermost proxy names", "10.1.2.3", "198.51.100.1, 203.0.113.9, 192.0.2.7, 10.9.9.9", "203.0.113.9"],
  ["our proxy, where it names nobody", "10.1.2.3", undefined, "10.1.2.3"],
  ["our proxy, where it names what is no address", "10.1.2.3", "203.0.113.9, unknown", "10.1.2.3"],
  ["an IPv4 address in IPv6's clothes, undressed", "::ffff:10.1.2.3", "::ffff:203.0.113.9", "203.0.113.9"],
  ["an address without its port", "10.1.2.3", "203.0.113.9:4711", "203.0.113.9"],
  ["an IPv6 address without its port", "fd00::1", "[2001:db8::1]:4711", "2001:db8::1"],
  ["nobody, when the connection is gone", undefined, "203.0.113.9", undefined],
])("clientAddress() is %s", (_name, peer, forwardedFor, expected) => {
  expect(clientAddress(peer, forwardedFor, trusted)).toBe(expected);
});

test("nobody is trusted if the setting names nobody", () => {
  expect(clientAddress("10.1.2.3", "203.0.113.9", readTrustedProxies({}, "PROXIES"))).toBe("10.1.2.3");
});

test.each(["10.0.0.0/33", "fd00::/129", "proxy.example", "10.0.0.0/", "10.0.0.0/8x", "/8"])(
  "readTrustedProxies() refuses %s and names the setting",
  (network) => {
    expect(() => readTrustedProxies({ PROXIES: network }, "PROXIES")).toThrow(/^PROXIES: /);
  },
);
