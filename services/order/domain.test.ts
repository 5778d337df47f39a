import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OrderCancelledSchema, OrderPaidSchema, OrderPlacedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import {
  apply,
  askIntervalMs,
  decide,
  type Finding,
  isSettled,
  nextStep,
  type Order,
  type OrderEvent,
  sagaDueAt,
  transitions,
} from "./domain.ts";

const placedAt = new Date("2026-03-01T12:00:00Z");
const placed = create(OrderPlacedSchema, {
  orderId: "ord_1",
  userId: "usr_1",
  lines: [{ sku: "A", name: "Apple", quantity: 2, unitPrice: { currencyCode: "EUR", minorUnits: 250n } }],
  total: { currencyCode: "EUR", minorUnits: 500n },
});

const findings: { [F in Finding["type"]]: Extract<Finding, { type: F }> } = {
  stockReserved: { type: "stockReserved" },
  stockRefused: { type: "stockRefused", reason: "A" },
  authorized: { type: "authorized" },
  declined: { type: "declined", reason: "insufficient funds" },
  authorizationUnknown: { type: "authorizationUnknown", instructions: "wait", dueAt: new Date(placedAt.getTime() + 1) },
  paymentExpired: { type: "paymentExpired" },
  captured: { type: "captured" },
  captureFailed: { type: "captureFailed", reason: "expired card" },
  shipped: { type: "shipped", trackingNumber: "DHL-1" },
  delivered: { type: "delivered" },
  customerCancelled: { type: "customerCancelled" },
  operatorCancelled: { type: "operatorCancelled" },
  reservationExpired: { type: "reservationExpired" },
};
const anyFinding = fc.constantFrom(...Object.values(findings));

/** An order to which these have happened. */
function orderAfter(...types: Finding["type"][]): Order {
  return types.reduce(
    (order, type) => apply(order, decide(order, findings[type]), placedAt),
    apply(undefined, placed, placedAt),
  );
}

function codeOf(fn: () => unknown): Code | undefined {
  try {
    fn();
    return undefined;
  } catch (error) {
    return ConnectError.from(error).code;
  }
}

/** DESIGN.md's table: what becomes of an order in each state by each command; "-" is FAILED_PRECONDITION. */
const table = `
                     | PLACED    | RESERVED         | AWAITING_PAYMENT | CONFIRMED | PAID      | SHIPPED   | DELIVERED | CANCELLED
stockReserved        | RESERVED  | -                | -                | -         | -         | -         | -         | -
stockRefused         | CANCELLED | -                | -                | -         | -         | -         | -         | -
authorized           | -         | CONFIRMED        | CONFIRMED        | -         | -         | -         | -         | -
declined             | -         | CANCELLED        | CANCELLED        | -         | -         | -         | -         | -
authorizationUnknown | -         | AWAITING_PAYMENT | -                | -         | -         | -         | -         | -
paymentExpired       | -         | -                | CANCELLED        | -         | -         | -         | -         | -
captured             | -         | -                | -                | PAID      | -         | -         | -         | -
captureFailed        | -         | -                | -                | CANCELLED | -         | -         | -         | -
shipped              | -         | -                | -                | -         | SHIPPED   | -         | -         | -
delivered            | -         | -                | -                | -         | -         | DELIVERED | -         | -
customerCancelled    | CANCELLED | CANCELLED        | CANCELLED        | CANCELLED | CANCELLED | -         | -         | -
operatorCancelled    | CANCELLED | CANCELLED        | CANCELLED        | CANCELLED | CANCELLED | -         | -         | -
reservationExpired   | CANCELLED | -                | -                | -         | -         | -         | -         | -
`;

/** How an order comes into each state. */
const ways: { [S in Order["state"]]: Finding["type"][] } = {
  PLACED: [],
  RESERVED: ["stockReserved"],
  AWAITING_PAYMENT: ["stockReserved", "authorizationUnknown"],
  CONFIRMED: ["stockReserved", "authorized"],
  PAID: ["stockReserved", "authorized", "captured"],
  SHIPPED: ["stockReserved", "authorized", "captured", "shipped"],
  DELIVERED: ["stockReserved", "authorized", "captured", "shipped", "delivered"],
  CANCELLED: ["stockRefused"],
};

describe("decide()", () => {
  const [head = [], ...rows] = table
    .trim()
    .split("\n")
    .map((row) => row.split("|").map((cell) => cell.trim()));
  const states = head.slice(1) as Order["state"][];
  const cells = rows.flatMap(([finding, ...to]) =>
    states.map((from, column) => [from, finding as Finding["type"], to[column]] as const),
  );

  test("has a row for each command and a column for each state", () => {
    expect(rows.map(([finding]) => finding).sort()).toEqual(Object.keys(findings).sort());
    expect(states.toSorted()).toEqual(Object.keys(ways).sort());
    expect(cells).toHaveLength(104);
  });

  test.each(cells)("%s, %s: %s", (from, finding, to) => {
    const order = orderAfter(...ways[from]);
    expect(order.state).toBe(from);
    if (to === "-") expect(codeOf(() => decide(order, findings[finding]))).toBe(Code.FailedPrecondition);
    else expect(apply(order, decide(order, findings[finding]), placedAt).state).toBe(to);
  });

  test("a cancelled order says why, one that waits says what to do and until when", () => {
    expect(orderAfter("stockRefused").cancelReason).toBe("out of stock: A");
    expect(orderAfter("stockReserved", "declined").cancelReason).toBe("payment declined: insufficient funds");
    const waits = orderAfter("stockReserved", "authorizationUnknown");
    expect(waits).toMatchObject({ paymentInstructions: "wait", paymentDueAt: new Date(placedAt.getTime() + 1) });
    const confirmed = apply(waits, decide(waits, findings.authorized), placedAt);
    expect(confirmed).toMatchObject({ paymentInstructions: "", paymentDueAt: undefined, cancelReason: "" });
  });
});

test("what was ordered is told with its cancellation, and the carrier's number stays known", () => {
  const order = orderAfter("stockReserved", "authorized", "captured");
  expect(decide(order, findings.customerCancelled)).toMatchObject({ lines: [{ sku: "A", quantity: 2 }] });
  const delivered = orderAfter("stockReserved", "authorized", "captured", "shipped", "delivered");
  expect(delivered).toMatchObject({ trackingNumber: "DHL-1", state: "DELIVERED" });
});

describe("apply()", () => {
  test("whatever is found out in whatever order: only what the table allows moves an order, and the rest changes nothing", () => {
    fc.assert(
      fc.property(fc.array(anyFinding, { maxLength: 12 }), (found) => {
        let order = apply(undefined, placed, placedAt);
        for (const finding of found) {
          const to = transitions[order.state][finding.type];
          if (to === undefined) {
            expect(codeOf(() => decide(order, finding))).toBe(Code.FailedPrecondition);
            continue;
          }
          order = apply(order, decide(order, finding), placedAt);
          expect(order.state).toBe(to);
        }
      }),
    );
  });

  test("an order is the fold of its events: version counts them, history tells them, lines and total never change", () => {
    fc.assert(
      fc.property(fc.array(anyFinding, { maxLength: 12 }), (found) => {
        const events: OrderEvent[] = [placed];
        let order = apply(undefined, placed, placedAt);
        for (const [index, finding] of found.entries()) {
          if (transitions[order.state][finding.type] === undefined) continue;
          const event = decide(order, finding);
          events.push(event);
          order = apply(order, event, new Date(placedAt.getTime() + index));
        }
        const folded = events.reduce<Order | undefined>((row, event, index) => {
          return apply(row, event, order.history[index]?.enteredAt ?? placedAt);
        }, undefined);
        expect(folded).toEqual(order);
        expect(order.version).toBe(events.length);
        expect(order.history).toHaveLength(events.length);
        expect(order.history.at(-1)?.state).toBe(order.state);
        expect(order.total).toEqual({ currencyCode: "EUR", minorUnits: 500n });
        expect(order.lines).toHaveLength(1);
      }),
    );
  });

  test("no order begins with anything but its placing, and none is placed twice", () => {
    const paid = create(OrderPaidSchema, { orderId: "ord_1" });
    expect(codeOf(() => apply(undefined, paid, placedAt))).toBe(Code.FailedPrecondition);
    expect(codeOf(() => apply(orderAfter(), placed, placedAt))).toBe(Code.FailedPrecondition);
  });

  test("a stored history that cannot have happened is refused", () => {
    expect(codeOf(() => apply(orderAfter(), create(OrderPaidSchema), placedAt))).toBe(Code.FailedPrecondition);
    const shipped = orderAfter("stockReserved", "authorized", "captured", "shipped");
    expect(codeOf(() => apply(shipped, create(OrderCancelledSchema), placedAt))).toBe(Code.FailedPrecondition);
  });
});

describe("what is left to do", () => {
  test.each<[Finding["type"][], ReturnType<typeof nextStep>, boolean]>([
    [[], "reserve", false],
    [["stockReserved"], "authorize", false],
    [["stockReserved", "authorizationUnknown"], "askPayment", true],
    [["stockReserved", "authorized"], "nothing", true],
    [["stockReserved", "authorized", "captured"], "nothing", true],
    [["stockRefused"], "nothing", true],
    [["stockReserved", "declined"], "release", true],
    [["stockReserved", "authorizationUnknown", "paymentExpired"], "release", true],
    [["stockReserved", "authorized", "captureFailed"], "release", true],
    [["customerCancelled"], "nothing", true],
    [["stockReserved", "customerCancelled"], "release", true],
    [["stockReserved", "authorized", "captured", "customerCancelled"], "release", true],
    [["stockReserved", "authorized", "captured", "shipped"], "nothing", true],
    [["stockReserved", "authorized", "captured", "shipped", "delivered"], "nothing", true],
  ])("after %j: %s", (types, step, settled) => {
    const order = orderAfter(...types);
    expect(nextStep(order)).toBe(step);
    expect(isSettled(order)).toBe(settled);
    const dueAt = sagaDueAt(order, 1_000)?.getTime();
    const expected = { nothing: undefined, askPayment: 1_000 + askIntervalMs.first }[step as "nothing" | "askPayment"];
    expect(dueAt).toBe(step === "nothing" || step === "askPayment" ? expected : 1_000);
  });
});
