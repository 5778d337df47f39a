import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "./check.ts";
import { createFixture, type Fixture, runScript } from "./testing.ts";

const orders = "proto/shop/order/v1/events.proto";
const order = "proto/shop/order/v1/order.proto";
const money = "proto/shop/type/v1/money.proto";
const profile = "proto/shop/user/v1/events.proto";
const placedRecord = "proto/events/shop.order.v1.OrderPlaced.json";

type Edit = readonly [path: string, from: string, to: string];

/** The repository's contracts, and the files of services that consume events. */
async function contracts(edits: readonly Edit[] = []): Promise<Fixture> {
  const consumers: string[] = [];
  for await (const path of glob("services/*/events.ts", { cwd: repositoryRoot })) consumers.push(path);
  const fixture = await createFixture(["proto", "buf.yaml", ...consumers]);
  for (const [path, from, to] of edits) await fixture.edit(path, from, to);
  return fixture;
}

const check = (fixture: Fixture) => runScript("event-contracts.ts", fixture);

describe("event-contracts is red, names file, event and field, and says what to do, when", () => {
  const cases: readonly [what: string, edits: readonly Edit[], words: RegExp][] = [
    [
      "a field is removed",
      [[orders, '  // For people: "payment declined: insufficient funds".\n  string reason = 3;\n', ""]],
      /^proto\/shop\/order\/v1\/events\.proto: shop\.order\.v1\.OrderCancelled\.reason \(3\): is gone.* version 1 carry it \(sample "full" in proto\/events\/shop\.order\.v1\.OrderCancelled\.json\); put it back/m,
    ],
    [
      "a field is removed and its number reserved",
      [[orders, "  string tracking_number = 3;", '  reserved 3;\n  reserved "tracking_number";']],
      /OrderShipped\.tracking_number \(3\): is gone/,
    ],
    [
      "a number is reused",
      [[orders, "  string tracking_number = 3;", "  string carrier = 3;"]],
      /OrderShipped\.tracking_number \(3\): was "string tracking_number" and is "string carrier"/,
    ],
    [
      "a field gets another number",
      [[orders, "  string tracking_number = 3;", "  string tracking_number = 4;"]],
      /OrderShipped\.tracking_number \(3\): has the number 4 now/,
    ],
    [
      "a field gets another type, deep inside",
      [[money, "int64 minor_units = 2", "sint64 minor_units = 2"]],
      /shop\.type\.v1\.Money\.minor_units \(2\), in shop\.order\.v1\.OrderPlaced: was "int64 minor_units" and is "sint64 minor_units".*sample "full"/,
    ],
    [
      "one becomes many",
      [[orders, "  string tracking_number = 3;", "  repeated string tracking_number = 3;"]],
      /was "string tracking_number" and is "repeated string tracking_number"/,
    ],
    [
      "a field learns to be absent",
      [[profile, "  bool notify_by_sms = 7;", "  optional bool notify_by_sms = 7;"]],
      /ProfileUpdated\.notify_by_sms \(7\): was "bool notify_by_sms" and is "optional bool notify_by_sms"/,
    ],
    [
      "a field moves into a oneof",
      [[orders, "  string tracking_number = 3;", "  oneof proof {\n    string tracking_number = 3;\n  }"]],
      /is "string tracking_number, in oneof proof"/,
    ],
    [
      "a field of a message inside is removed",
      [[order, "  // The price of one when the order was placed.\n  shop.type.v1.Money unit_price = 4;\n", ""]],
      /OrderLine\.unit_price \(4\), in shop\.order\.v1\.OrderPlaced: is gone/,
    ],
    [
      "its subject changes",
      [[orders, 'subject: "shop.order.v1.OrderPaid"', 'subject: "shop.order.v1.Paid"']],
      /shop\.order\.v1\.OrderPaid: its subject is "shop\.order\.v1\.Paid" and was "shop\.order\.v1\.OrderPaid"/,
    ],
    [
      "its key changes",
      [
        [
          orders,
          'subject: "shop.order.v1.OrderPaid"\n    key: "order_id"',
          'subject: "shop.order.v1.OrderPaid"\n    key: "user_id"',
        ],
      ],
      /shop\.order\.v1\.OrderPaid: its key is "user_id" and was "order_id"/,
    ],
    [
      "it is not published any more",
      [
        [
          profile,
          'option (weft.v1.event) = {\n    subject: "shop.user.v1.ProfileUpdated"\n    key: "user_id"\n  };',
          "",
        ],
      ],
      /shop\.user\.v1\.ProfileUpdated: is not published any more/,
    ],
    [
      "its type is removed, published or not",
      [[orders, "message OrderReserved {\n  string order_id = 1;\n}", ""]],
      /shop\.order\.v1\.OrderReserved: is gone, and stored ones are read by their type/,
    ],
    [
      "its name in JSON changes",
      [[orders, "  string tracking_number = 3;", '  string tracking_number = 3 [json_name = "parcel"];']],
      /OrderShipped: sample "full" of version 1 in proto\/events\/shop\.order\.v1\.OrderShipped\.json means .*"parcel"/,
    ],
    [
      "a sample is not what it was",
      [[placedRecord, '"orderId": "k"', '"orderId": "another"']],
      /OrderPlaced: sample "minimal" of version 1 .* means \{"orderId":"k"\}, and meant \{"orderId":"another"\}/,
    ],
    [
      "a stored event has a field that nobody reads",
      // Field 15, a varint: as a version that nobody has recorded would have written it.
      [[placedRecord, '"base64": "CgFr"', '"base64": "CgFreAE="']],
      /sample "minimal" of version 1 .* has what nobody reads any more: shop\.order\.v1\.OrderPlaced field 15/,
    ],
    [
      "a consumer needs a field that is gone",
      [[orders, "  string tracking_number = 3;\n", ""]],
      /^services\/notification\/events\.ts: notification needs tracking_number of shop\.order\.v1\.OrderShipped, which is gone/m,
    ],
    [
      "a consumer needs a field that stored events do not have",
      [
        [orders, "  string tracking_number = 3;", "  string tracking_number = 3;\n  string carrier = 4;"],
        ["proto/events/consumers.json", '"user_id", "tracking_number"]', '"user_id", "tracking_number", "carrier"]'],
      ],
      /notification needs carrier of shop\.order\.v1\.OrderShipped, which stored events of version 1 do not have/,
    ],
    [
      "a consumer does not say what it needs",
      [
        [
          "proto/events/consumers.json",
          '"shop.order.v1.OrderShipped": ["order_id", "user_id", "tracking_number"],',
          "",
        ],
      ],
      /^services\/notification\/events\.ts: consumes shop\.order\.v1\.OrderShipped; say in proto\/events\/consumers\.json/m,
    ],
    [
      "what a consumer needs is said of one that does not consume",
      [["proto/events/consumers.json", '"cart": {', '"cart": {\n    "shop.order.v1.OrderPaid": ["order_id"],']],
      /^proto\/events\/consumers\.json: cart does not consume shop\.order\.v1\.OrderPaid any more/m,
    ],
  ];
  test.each(cases)("%s", async (_what, edits, words) => {
    await using fixture = await contracts(edits);
    const { exitCode, output } = await check(fixture);
    expect(output).toMatch(words);
    expect(exitCode).toBe(1);
  });

  test("an enum's value is gone or is called otherwise", async () => {
    const withEnum = (values: string): Edit => [
      orders,
      "  string tracking_number = 3;",
      `  string tracking_number = 3;\n  Speed speed = 4;\n}\nenum Speed {\n  SPEED_UNSPECIFIED = 0;\n  ${values}`,
    ];
    await using fixture = await contracts([withEnum("SPEED_SLOW = 1;\n  SPEED_FAST = 2;")]);
    expect((await runScript("events-record.ts", fixture)).exitCode).toBe(0);
    await fixture.edit(orders, "SPEED_SLOW = 1", "SPEED_LAZY = 1");
    await fixture.edit(orders, "  SPEED_FAST = 2;", "");
    const { exitCode, output } = await check(fixture);
    expect(exitCode).toBe(1);
    expect(output).toMatch(/shop\.order\.v1\.Speed value 1, SPEED_SLOW: is called SPEED_LAZY now/);
    expect(output).toMatch(/shop\.order\.v1\.Speed value 2, SPEED_FAST: is gone/);
  });
});

describe("event-contracts is green when", () => {
  const shipped = "string tracking_number = 3";
  const cases: readonly [what: string, edits: readonly Edit[], unrecorded: string | undefined][] = [
    ["nothing has changed", [], undefined],
    [
      "a field is added",
      [[orders, `  ${shipped};`, `  ${shipped};\n  string carrier = 4;`]],
      "shop.order.v1.OrderShipped",
    ],
    [
      "a type is added",
      [
        [
          orders,
          "message OrderReserved {",
          "message OrderPraised {\n  string order_id = 1;\n}\n\nmessage OrderReserved {",
        ],
      ],
      "shop.order.v1.OrderPraised",
    ],
    ["a field is marked as deprecated", [[orders, `${shipped};`, `${shipped} [deprecated = true];`]], undefined],
    ["an event is described otherwise", [[orders, "// The parcel has arrived.", "// It is there."]], undefined],
  ];
  test.each(cases)("%s, and says what is not recorded yet", async (_what, edits, unrecorded) => {
    await using fixture = await contracts();
    await runScript("events-record.ts", fixture);
    for (const [path, from, to] of edits) await fixture.edit(path, from, to);
    const { exitCode, output } = await check(fixture);
    expect(output).toMatch(/^event-contracts: ok \(\d+ events in \d+ versions/);
    expect(/until make events-record: (.*)\)/.exec(output)?.[1]).toBe(unrecorded);
    expect(exitCode).toBe(0);
  });

  test("there is no record, it is red: nothing was checked", async () => {
    const copied = ["proto/shop", "proto/weft", "proto/vendor", "buf.yaml", "proto/events/consumers.json"];
    await using fixture = await createFixture(copied);
    expect(await check(fixture)).toMatchObject({ exitCode: 1, output: expect.stringContaining("holds no record") });
  });
});

describe("make events-record", () => {
  const added: Edit = [orders, "  string tracking_number = 3;", "  string tracking_number = 3;\n  string carrier = 4;"];
  const recordOf = async (fixture: Fixture) =>
    JSON.parse(await readFile(join(fixture.root, "proto/events/shop.order.v1.OrderShipped.json"), "utf8"));

  test("adds a version for what is new, once, and leaves what was recorded as it was; from then on it must stay", async () => {
    await using fixture = await contracts();
    await runScript("events-record.ts", fixture);
    await fixture.edit(...added);
    const before = await recordOf(fixture);
    const first = await runScript("events-record.ts", fixture);
    expect(first).toMatchObject({
      exitCode: 0,
      output: "proto/events/shop.order.v1.OrderShipped.json: has a new version\n",
    });
    const after = await recordOf(fixture);
    expect(after.versions[0]).toEqual(before.versions[0]);
    expect(after.versions[1]).toMatchObject({
      version: 2,
      samples: { full: { json: { carrier: expect.any(String) } } },
    });
    expect((await runScript("events-record.ts", fixture)).output).toContain("every event is recorded as it is now");
    expect(await check(fixture)).toMatchObject({ exitCode: 0, output: expect.not.stringContaining("not recorded") });
    await fixture.edit(orders, "  string carrier = 4;\n", "");
    expect((await check(fixture)).output).toMatch(/OrderShipped\.carrier \(4\): is gone.*version 2/);
  });

  test("records nothing while something is broken", async () => {
    await using fixture = await contracts([
      added,
      [orders, "OrderReserved {\n  string order_id = 1;", "OrderReserved {\n  string id = 1;"],
    ]);
    const before = await recordOf(fixture);
    const { exitCode, output } = await runScript("events-record.ts", fixture);
    expect(exitCode).toBe(1);
    expect(output).toMatch(/OrderReserved\.order_id \(1\).*\nnothing was recorded/);
    expect(await recordOf(fixture)).toEqual(before);
  });

  test("makes samples that have everything an event can have", async () => {
    for await (const path of glob("proto/events/shop.*.json", { cwd: repositoryRoot })) {
      const { type, versions } = JSON.parse(await readFile(join(repositoryRoot, path), "utf8"));
      for (const { shape, samples } of versions) {
        const names = Object.values<string>(shape.messages[type]).map((text) => text.replace(/^.* /, ""));
        const inJson = names.map((name) => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()));
        expect(Object.keys(samples.full.json).sort(), path).toEqual(inJson.sort());
        expect(samples.minimal, path).toBeDefined();
      }
    }
  });
});
