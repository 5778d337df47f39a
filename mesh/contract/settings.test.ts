import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatAddress,
  parseAddress,
  readAddress,
  readInteger,
  readList,
  readString,
  readUrl,
  SettingError,
} from "./settings.ts";

describe("readString()", () => {
  test("returns what is set, else the fallback; an empty setting is none", () => {
    expect(readString({ A: "x" }, "A", "y")).toBe("x");
    expect(readString({}, "A", "y")).toBe("y");
    expect(readString({ A: "" }, "A", "y")).toBe("y");
  });

  test("names the setting that is missing", () => {
    expect(() => readString({}, "MAIL_FROM")).toThrow(
      new SettingError("MAIL_FROM is not set: this process cannot start without it"),
    );
  });
});

describe("readInteger()", () => {
  const bounds = { min: -5, max: 100, fallback: 7 };

  test.each([
    ["0", 0],
    ["100", 100],
    ["-5", -5],
    [undefined, 7],
    ["", 7],
  ])("of %s is %s", (text, value) => {
    expect(readInteger({ N: text }, "N", bounds)).toBe(value);
  });

  test.each(["101", "-6", "1.5", "1e1", "0x10", " ", " 5", "five", "NaN", "Infinity", "9".repeat(400)])(
    "refuses %s and names setting and bounds",
    (text) => {
      expect(() => readInteger({ N: text }, "N", bounds)).toThrow(
        new SettingError(`N=${text} is not a whole number from -5 to 100`),
      );
    },
  );
});

describe("readUrl()", () => {
  test("returns a URL of the right protocol as it is written", () => {
    expect(readUrl({ U: "nats://127.0.0.1:4222" }, "U", ["nats:", "tls:"])).toBe("nats://127.0.0.1:4222");
    expect(readUrl({}, "U", ["nats:"], "nats://here")).toBe("nats://here");
  });

  test.each(["http://order:hunter2@db/shop", "order:hunter2@db", "//hunter2"])(
    "refuses %s without showing it",
    (text) => {
      expect(() => readUrl({ U: text }, "U", ["mysql:", "mariadb:"])).toThrow(
        new SettingError("U is not a URL that starts with mysql:// or mariadb://"),
      );
    },
  );
});

test.each([
  [undefined, []],
  ["", []],
  [" , ,", []],
  ["a", ["a"]],
  [" a , b,c ", ["a", "b", "c"]],
])("readList() of %j is %j", (text, list) => {
  expect(readList({ L: text }, "L")).toEqual(list);
});

describe("addresses", () => {
  test("come out as they went in, IPv6 hosts in brackets", () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(host, fc.nat({ max: 65_535 }), (host, port) => {
        expect(parseAddress("A", formatAddress({ host, port }))).toEqual({ host, port });
      }),
    );
    expect(formatAddress({ host: "::1", port: 7140 })).toBe("[::1]:7140");
  });

  test.each([
    "127.0.0.1",
    ":7140",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "::1:7140",
    "http://here:80",
    "a:b",
    "a:-1",
    "a:1 ",
  ])("%s is refused, with the setting's name and an example", (text) => {
    expect(() => readAddress({ A: text }, "A")).toThrow(
      new SettingError(`A=${text} is not host:port, for example 127.0.0.1:7140`),
    );
  });
});
