import { describe, expect, test } from "vitest";
import { didYouMean, nearest } from "./nearest.ts";

const methods = [
  "shop.order.v1.OrderService/PlaceOrder",
  "shop.order.v1.OrderService/GetOrder",
  "shop.order.v1.OrderService/WatchOrder",
  "grpc.health.v1.Health/Check",
];

describe("nearest()", () => {
  test.each([
    ["shop.order.v1.OrderService/PlaceOrdr", "shop.order.v1.OrderService/PlaceOrder"],
    ["OrderService/GetOrder", "shop.order.v1.OrderService/GetOrder"],
    ["watchorder", "shop.order.v1.OrderService/WatchOrder"],
    ["shop.orders.v1.OrderService/PlaceOrder", "shop.order.v1.OrderService/PlaceOrder"],
  ])("takes %s for %s", (typed, meant) => {
    expect(nearest(typed, methods)[0]).toBe(meant);
  });

  test("suggests nothing when nothing is near", () => {
    expect(nearest("zzzzzzzz", methods)).toEqual([]);
    expect(didYouMean("zzzzzzzz", methods)).toBeUndefined();
  });

  test("suggests three at most", () => {
    expect(nearest("a", ["a1", "a2", "a3", "a4"])).toEqual(["a1", "a2", "a3"]);
  });
});
