import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ParcelSchema } from "../../../../gen/shop/api/v1/warehouse_pb.ts";
import { labelNumber, parcelName, readFirst } from "./parcels.ts";

test("a label's number is one that the contract takes, and its order's own", () => {
  const number = labelNumber("ord_7F01JBWKHUNJ6W3JI");
  expect(number).toMatch(/^[A-Za-z0-9-]{1,40}$/);
  expect(labelNumber("ord_7F01JBWKHUNJ6W3JI")).toBe(number);
  expect(labelNumber("ord_7F01JBWKHUNJ6W3JK")).not.toBe(number);
});

const line = (name: string, quantity: number) => ({ sku: "SKU", name, quantity });

test.each([
  [[line("French press", 2)], "2 × French press"],
  [[line("French press", 2), line("Kettle", 1), line("Scale", 1)], "2 × French press and 2 more"],
])("a parcel is named for what is in it", (lines, name) => {
  expect(parcelName(create(ParcelSchema, { lines }))).toBe(name);
});

test.each([
  [1, 2, "2"],
  [3, 4, "4"],
  [4, 4, "4"],
  [9, 5, ""],
])("asked for %i of five in pages of two, %i are read", async (count, length, next) => {
  const page = await readFirst(async (token) => {
    const from = Number(token);
    const ids = ["a", "b", "c", "d", "e"].slice(from, from + 2);
    const parcels = ids.map((orderId) => create(ParcelSchema, { orderId }));
    return { parcels, nextPageToken: from + 2 < 5 ? String(from + 2) : "" };
  }, count);
  expect([page.parcels.length, page.nextPageToken]).toEqual([length, next]);
});
