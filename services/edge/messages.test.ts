import { create, toJson } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ProductSchema as PublicProductSchema } from "../../gen/shop/api/v1/catalog_pb.ts";
import { OrderStateSchema, OrderSchema as PublicOrderSchema } from "../../gen/shop/api/v1/order_pb.ts";
import { ProductSchema } from "../../gen/shop/catalog/v1/catalog_pb.ts";
import {
  OrderStateSchema as InnerOrderStateSchema,
  OrderSchema,
  OrderState,
} from "../../gen/shop/order/v1/order_pb.ts";
import { toOrder, toProduct } from "./messages.ts";

describe("toOrder()", () => {
  test("shows all that is the customer's to see", () => {
    const order = create(OrderSchema, {
      ...{
        orderId: "ord_1",
        userId: "usr_1",
        version: 3n,
        cancelReason: "why",
        paymentInstructions: "how",
        trackingNumber: "T-1",
      },
      state: OrderState.CONFIRMED,
      lines: [{ sku: "CUP", name: "Cup", quantity: 2, unitPrice: { currencyCode: "EUR", minorUnits: 450n } }],
      total: { currencyCode: "EUR", minorUnits: 900n },
      history: [{ state: OrderState.PLACED, enteredAt: timestampFromMs(0) }],
    });
    expect(toJson(PublicOrderSchema, create(PublicOrderSchema, toOrder(order)))).toEqual({
      ...{ orderId: "ord_1", cancelReason: "why", paymentInstructions: "how", trackingNumber: "T-1" },
      state: "ORDER_STATE_CONFIRMED",
      lines: [{ sku: "CUP", name: "Cup", quantity: 2, unitPrice: { currencyCode: "EUR", minorUnits: "450" } }],
      total: { currencyCode: "EUR", minorUnits: "900" },
      history: [{ state: "ORDER_STATE_PLACED", enteredAt: "1970-01-01T00:00:00Z" }],
    });
  });

  test("has a public word for every state", () => {
    const shown = InnerOrderStateSchema.values.map(({ number }) => {
      const { state = 0 } = toOrder(create(OrderSchema, { state: number as OrderState }));
      return OrderStateSchema.value[state]?.name;
    });
    expect(shown).toEqual(InnerOrderStateSchema.values.map(({ name }) => name));
  });

  test("shows a state from the future as unspecified", () => {
    expect(toOrder(create(OrderSchema, { state: 99 as OrderState })).state).toBe(0);
  });
});

test("toProduct() leaves version and time of the change inside", () => {
  const product = create(ProductSchema, {
    ...{
      sku: "CUP",
      name: "Cup",
      description: "For tea",
      category: "tableware",
      version: 7n,
      updatedAt: timestampFromMs(0),
    },
    price: { currencyCode: "EUR", minorUnits: 450n },
  });
  expect(toJson(PublicProductSchema, create(PublicProductSchema, toProduct(product)))).toEqual({
    ...{ sku: "CUP", name: "Cup", description: "For tea", category: "tableware", picturePath: "/pictures/CUP.svg" },
    price: { currencyCode: "EUR", minorUnits: "450" },
  });
});
