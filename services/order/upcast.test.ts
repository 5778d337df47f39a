import { create, fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { CancellationCause, OrderCancelledSchema, OrderPaidSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { toStoredEvent } from "./event-rows.ts";
import { schemaVersionOf, upcast } from "./upcast.ts";

const occurredAt = new Date("2026-03-01T12:00:00Z");
const lines = "22180a055445412d311203546561180222080a0345555210fa01";

/** OrderCancelled as it was stored before it had a cause: its bytes, by its reason. */
const version1: [reason: string, bytes: string, cause: CancellationCause][] = [
  [
    "out of stock: TEA-1 (wanted 2, available 0)",
    `0a056f72645f3112057573725f311a2b6f7574206f662073746f636b3a205445412d31202877616e74656420322c20617661696c61626c65203029${lines}`,
    CancellationCause.OUT_OF_STOCK,
  ],
  [
    "payment declined: insufficient funds",
    `0a056f72645f3112057573725f311a247061796d656e74206465636c696e65643a20696e73756666696369656e742066756e6473${lines}`,
    CancellationCause.PAYMENT_DECLINED,
  ],
  [
    "not paid in time",
    `0a056f72645f3112057573725f311a106e6f74207061696420696e2074696d65${lines}`,
    CancellationCause.NOT_PAID_IN_TIME,
  ],
  [
    "payment failed: card expired",
    `0a056f72645f3112057573725f311a1c7061796d656e74206661696c65643a20636172642065787069726564${lines}`,
    CancellationCause.CAPTURE_FAILED,
  ],
  [
    "cancelled by the customer",
    `0a056f72645f3112057573725f311a1963616e63656c6c65642062792074686520637573746f6d6572${lines}`,
    CancellationCause.CUSTOMER,
  ],
  [
    "an old tool of ours",
    `0a056f72645f3112057573725f311a13616e206f6c6420746f6f6c206f66206f757273${lines}`,
    CancellationCause.UNSPECIFIED,
  ],
];

const row = (payload: string, schema_version: number) => ({
  ...{ order_id: "ord_1", type: "shop.order.v1.OrderCancelled", schema_version, occurred_at: occurredAt },
  payload: Buffer.from(payload, "hex"),
});

describe("OrderCancelled of version 1", () => {
  test.each(version1)("%s: gets its cause when it is read, and nothing else changes", (reason, bytes, cause) => {
    const { event } = toStoredEvent(row(bytes, 1));
    const stored = fromBinary(OrderCancelledSchema, row(bytes, 1).payload);
    expect(stored).toMatchObject({ orderId: "ord_1", reason, cause: CancellationCause.UNSPECIFIED });
    expect(event).toEqual({ ...stored, cause });
  });

  test("of version 2 the cause is what was stored, whatever the reason says", () => {
    const [, bytes = ""] = version1[0] ?? [];
    expect(toStoredEvent(row(bytes, 2)).event).toMatchObject({ cause: CancellationCause.UNSPECIFIED });
    const operator = create(OrderCancelledSchema, { reason: "not paid in time", cause: CancellationCause.OPERATOR });
    expect(upcast(operator, 2)).toBe(operator);
  });
});

test("an event whose type has one version is read as it is", () => {
  const paid = create(OrderPaidSchema, { orderId: "ord_1" });
  expect(schemaVersionOf(paid.$typeName)).toBe(1);
  expect(upcast(paid, 1)).toBe(paid);
});

test.each([0, 3])("a version that nobody here knows (%i) is DATA_LOSS, naming what is known", (version) => {
  const cancelled = create(OrderCancelledSchema, {});
  const error = (() => {
    try {
      return upcast(cancelled, version);
    } catch (thrown) {
      return ConnectError.from(thrown);
    }
  })();
  expect(error).toMatchObject({ code: Code.DataLoss, rawMessage: expect.stringContaining("1 to 2 are known") });
});
