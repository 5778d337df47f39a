import { expect, test } from "vitest";
import type { ReceivedSpan } from "../outside/otlp.ts";
import { drawWaterfall } from "./waterfall.ts";

function span(
  id: string,
  parent: string,
  kind: ReceivedSpan["kind"],
  name: string,
  fromMs: number,
  toMs: number,
): ReceivedSpan {
  return {
    ...{
      trace_id: "t",
      span_id: id,
      parent_span_id: parent,
      kind,
      name,
      service: kind === "server" ? "order" : "edge",
    },
    ...{ start_ns: String(fromMs * 1e6), end_ns: String(toMs * 1e6), status_code: "unset", status_message: "" },
    ...{ attributes: {}, links: [] },
  };
}

test("children stand below their parents, and a call's two spans are one line", () => {
  const lines = drawWaterfall([
    span("1", "", "server", "shop.api.v1.OrderService/PlaceOrder", 0, 100),
    span("2", "1", "client", "shop.order.v1.OrderService/PlaceOrder", 10, 90),
    span("3", "2", "server", "shop.order.v1.OrderService/PlaceOrder", 20, 80),
    span("4", "3", "client", "order.insertEvent", 30, 40),
  ]);
  expect(lines.map((line) => line.slice(13, 45).trimEnd())).toEqual([
    "OrderService/PlaceOrder",
    "  OrderService/PlaceOrder",
    "    order.insertEvent",
  ]);
  expect(lines[2]).toContain("30.0 ms +   10.0 ms");
});

test("a span whose parent was not exported is a root", () => {
  expect(drawWaterfall([span("1", "gone", "server", "a", 0, 1)])).toHaveLength(1);
});

test("no spans, no lines", () => {
  expect(drawWaterfall([])).toEqual([]);
});
