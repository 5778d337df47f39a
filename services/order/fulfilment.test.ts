import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { apply, type Order, type OrderState } from "./domain.ts";
import { cancelOrder, deliverOrder, type FulfilmentDeps, shipOrder } from "./fulfilment.ts";
import { type OrderUnit, recordCapture, recordPaymentFailure } from "./usecases.ts";

const [orderId, userId, trackingNumber] = ["ord_1", "usr_1", "DHL-1"];
const total = { currencyCode: "EUR", minorUnits: 500n };
const placed = apply(undefined, create(OrderPlacedSchema, { orderId, userId, lines: [], total }), new Date());

/** The order in a state, and what those who command it need. */
function orderIn(state: OrderState) {
  const left = state === "SHIPPED" || state === "DELIVERED";
  let order: Order = { ...placed, state, trackingNumber: left ? trackingNumber : "" };
  const unit: OrderUnit = {
    load: async () => order,
    append: async (before, event) => {
      order = apply(before, event, new Date());
      return order;
    },
  };
  const deps: FulfilmentDeps = { orders: { change: (work) => work(unit) }, wakeSagas: () => {} };
  return { deps, unit, state: () => order.state };
}

/** "=": answered as before, and nothing changes; "-": FAILED_PRECONDITION. */
const table = `
               | PLACED    | RESERVED  | AWAITING_PAYMENT | CONFIRMED | PAID      | SHIPPED   | DELIVERED | CANCELLED
cancel         | CANCELLED | CANCELLED | CANCELLED        | CANCELLED | CANCELLED | -         | -         | =
ship           | -         | -         | -                | -         | SHIPPED   | =         | =         | -
ship otherwise | -         | -         | -                | -         | SHIPPED   | -         | -         | -
deliver        | -         | -         | -                | -         | -         | DELIVERED | =         | -
captured       | -         | -         | -                | PAID      | =         | =         | =         | =
capture failed | =         | =         | =                | CANCELLED | =         | =         | =         | =
`;

type Subject = ReturnType<typeof orderIn>;
const commands: Record<string, (subject: Subject) => Promise<unknown>> = {
  cancel: ({ deps }) => cancelOrder(deps, { orderId, userId }),
  ship: ({ deps }) => shipOrder(deps, { orderId, trackingNumber }),
  "ship otherwise": ({ deps }) => shipOrder(deps, { orderId, trackingNumber: "DHL-2" }),
  deliver: ({ deps }) => deliverOrder(deps, orderId),
  captured: ({ unit }) => recordCapture(unit, orderId),
  "capture failed": ({ unit }) => recordPaymentFailure(unit, orderId, "expired"),
};

describe("what is asked of an order, and what is heard of its money", () => {
  const [head = [], ...rows] = table
    .trim()
    .split("\n")
    .map((row) => row.split("|").map((cell) => cell.trim()));
  const cells = rows.flatMap(([command = "", ...to]) =>
    head.slice(1).map((from, column) => [from as OrderState, command, to[column] ?? ""] as const),
  );

  test.each(cells)("%s, %s: %s", async (from, command, to) => {
    const subject = orderIn(from);
    const code = await commands[command]?.(subject).then(
      () => undefined,
      (error) => ConnectError.from(error).code,
    );
    expect(code).toBe(to === "-" ? Code.FailedPrecondition : undefined);
    expect(subject.state()).toBe(to === "-" || to === "=" ? from : to);
  });
});
