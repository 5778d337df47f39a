import { create } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";
import {
  CancellationCause,
  type OrderAwaitingPayment,
  OrderAwaitingPaymentSchema,
  type OrderCancelled,
  OrderCancelledSchema,
  type OrderConfirmed,
  OrderConfirmedSchema,
  type OrderDelivered,
  OrderDeliveredSchema,
  type OrderPaid,
  OrderPaidSchema,
  type OrderPlaced,
  type OrderReserved,
  OrderReservedSchema,
  type OrderShipped,
  OrderShippedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";

/** An exact amount: a whole number of the currency's smallest unit. */
export interface Money {
  /** ISO 4217. */
  readonly currencyCode: string;
  readonly minorUnits: bigint;
}

/** What a customer buys of one product, at the price of the moment of the order. */
export interface OrderLine {
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly unitPrice: Money;
}

export type OrderState =
  | "PLACED"
  | "RESERVED"
  | "AWAITING_PAYMENT"
  | "CONFIRMED"
  | "PAID"
  | "SHIPPED"
  | "DELIVERED"
  | "CANCELLED";

/** Why an order was cancelled, for programs. "": nobody knows. */
export type CancelCause = "" | Exclude<keyof typeof CancellationCause, "UNSPECIFIED">;

/** An order: the fold of its events. Another field, or another rule in apply(), is another foldVersion. */
export interface Order {
  readonly orderId: string;
  readonly userId: string;
  readonly state: OrderState;
  readonly lines: readonly OrderLine[];
  readonly total: Money;
  /** Why it was cancelled, for people; empty otherwise. */
  readonly cancelReason: string;
  readonly cancelCause: CancelCause;
  /** What the customer can do while it is AWAITING_PAYMENT; empty otherwise. */
  readonly paymentInstructions: string;
  /** When it is cancelled unless it is paid; only while it is AWAITING_PAYMENT. */
  readonly paymentDueAt: Date | undefined;
  /** The carrier's number once it is SHIPPED; empty otherwise. */
  readonly trackingNumber: string;
  /** Every state it has been in, oldest first. */
  readonly history: readonly { readonly state: OrderState; readonly enteredAt: Date }[];
  /** Number of its events. */
  readonly version: number;
}

/** What an order is made of. Each is stored exactly as the contract has it. */
export type OrderEvent =
  | OrderPlaced
  | OrderReserved
  | OrderConfirmed
  | OrderAwaitingPayment
  | OrderPaid
  | OrderShipped
  | OrderDelivered
  | OrderCancelled;

/** What has been found out about an order, or what somebody may do with it: the only things that move it. */
export type Finding =
  | { readonly type: "stockReserved" }
  | { readonly type: "stockRefused"; readonly reason: string }
  | { readonly type: "authorized" }
  | { readonly type: "declined"; readonly reason: string }
  | { readonly type: "authorizationUnknown"; readonly instructions: string; readonly dueAt: Date }
  | { readonly type: "paymentExpired" }
  | { readonly type: "captured" }
  | { readonly type: "captureFailed"; readonly reason: string }
  | { readonly type: "shipped"; readonly trackingNumber: string }
  | { readonly type: "delivered" }
  | { readonly type: "customerCancelled" }
  | { readonly type: "operatorCancelled" }
  /** Its stock could not be reserved in time. */
  | { readonly type: "reservationExpired" };

/** Who has ordered, and who runs the shop, may cancel until the parcel leaves. */
const cancellable = { customerCancelled: "CANCELLED", operatorCancelled: "CANCELLED" } as const;

/** DESIGN.md, section 6: what moves an order from which state to which. Anything else is FAILED_PRECONDITION. */
export const transitions: {
  readonly [S in OrderState]: { readonly [F in Finding["type"]]?: OrderState };
} = {
  PLACED: {
    stockReserved: "RESERVED",
    stockRefused: "CANCELLED",
    reservationExpired: "CANCELLED",
    ...cancellable,
  },
  RESERVED: {
    authorized: "CONFIRMED",
    declined: "CANCELLED",
    authorizationUnknown: "AWAITING_PAYMENT",
    ...cancellable,
  },
  AWAITING_PAYMENT: {
    authorized: "CONFIRMED",
    declined: "CANCELLED",
    paymentExpired: "CANCELLED",
    ...cancellable,
  },
  CONFIRMED: { captured: "PAID", captureFailed: "CANCELLED", ...cancellable },
  PAID: { shipped: "SHIPPED", ...cancellable },
  SHIPPED: { delivered: "DELIVERED" },
  DELIVERED: {},
  CANCELLED: {},
};

/** Turns a finding into the event that tells of it. @throws ConnectError FAILED_PRECONDITION where the state forbids it */
export function decide(order: Order, finding: Finding): OrderEvent {
  const { orderId, userId, total } = order;
  if (transitions[order.state][finding.type] === undefined) throw illegal(order, finding.type);
  const cancelled = (cause: CancellationCause, reason: string) =>
    create(OrderCancelledSchema, { orderId, userId, cause, reason, lines: [...order.lines] });
  switch (finding.type) {
    case "stockReserved":
      return create(OrderReservedSchema, { orderId });
    case "stockRefused":
      return cancelled(CancellationCause.OUT_OF_STOCK, `out of stock: ${finding.reason}`);
    case "authorized":
      return create(OrderConfirmedSchema, { orderId, userId, lines: [...order.lines], total });
    case "declined":
      return cancelled(CancellationCause.PAYMENT_DECLINED, `payment declined: ${finding.reason}`);
    case "authorizationUnknown":
      return create(OrderAwaitingPaymentSchema, {
        orderId,
        userId,
        total,
        paymentInstructions: finding.instructions,
        expiresAt: timestampFromDate(finding.dueAt),
      });
    case "paymentExpired":
      return cancelled(CancellationCause.NOT_PAID_IN_TIME, "not paid in time");
    case "captured":
      return create(OrderPaidSchema, { orderId, userId, total });
    case "captureFailed":
      return cancelled(CancellationCause.CAPTURE_FAILED, `payment failed: ${finding.reason}`);
    case "shipped":
      return create(OrderShippedSchema, { orderId, userId, trackingNumber: finding.trackingNumber });
    case "delivered":
      return create(OrderDeliveredSchema, { orderId, userId });
    case "customerCancelled":
      return cancelled(CancellationCause.CUSTOMER, "cancelled by the customer");
    case "operatorCancelled":
      return cancelled(CancellationCause.OPERATOR, "cancelled by the shop");
    case "reservationExpired":
      return cancelled(CancellationCause.NOT_RESERVED_IN_TIME, "its stock could not be reserved in time");
  }
}

/** Folds one more event into an order. @throws ConnectError FAILED_PRECONDITION if no order can have that history */
export function apply(order: Order | undefined, event: OrderEvent, occurredAt: Date): Order {
  if (event.$typeName === "shop.order.v1.OrderPlaced") {
    if (order !== undefined) throw illegal(order, event.$typeName);
    return placed(event, occurredAt);
  }
  const state = stateAfter(event);
  if (order === undefined || !Object.values(transitions[order.state]).includes(state)) {
    throw illegal(order, event.$typeName);
  }
  const waits = event.$typeName === "shop.order.v1.OrderAwaitingPayment" ? event : undefined;
  const ends = event.$typeName === "shop.order.v1.OrderCancelled" ? event : undefined;
  return {
    ...order,
    state,
    cancelReason: ends?.reason ?? "",
    cancelCause: causeOf(ends?.cause),
    paymentInstructions: waits?.paymentInstructions ?? "",
    paymentDueAt: waits?.expiresAt && timestampDate(waits.expiresAt),
    trackingNumber: event.$typeName === "shop.order.v1.OrderShipped" ? event.trackingNumber : order.trackingNumber,
    history: [...order.history, { state, enteredAt: occurredAt }],
    version: order.version + 1,
  };
}

/**
 * What the saga has to do next for an order. "release" is asked for only if the order is known to hold stock: a reservation that
 * was under way when the order was cancelled is given back, or refused, by inventory when it hears OrderCancelled.
 */
export function nextStep(order: Order): "reserve" | "authorize" | "askPayment" | "release" | "nothing" {
  switch (order.state) {
    case "PLACED":
      return "reserve";
    case "RESERVED":
      return "authorize";
    case "AWAITING_PAYMENT":
      return "askPayment";
    case "CANCELLED":
      return order.history.some(({ state }) => state === "RESERVED") ? "release" : "nothing";
    default:
      return "nothing";
  }
}

/** First and longest wait between two questions to payment about an authorization whose outcome is unknown. */
export const askIntervalMs = { first: 1_000, max: 15_000 };

/** When an order's saga is due after a change at nowMs; undefined: never, it has nothing to do. */
export function sagaDueAt(order: Order, nowMs: number): Date | undefined {
  const step = nextStep(order);
  if (step === "nothing") return undefined;
  return new Date(step === "askPayment" ? nowMs + askIntervalMs.first : nowMs);
}

/** When an order came into the state that it is in. */
export function stateSince(order: Order): Date {
  return order.history.at(-1)?.enteredAt ?? new Date(0);
}

/** Whether nothing can ever happen to the order again. */
export function isFinal(order: Order): boolean {
  return Object.keys(transitions[order.state]).length === 0;
}

/** Whether PlaceOrder can answer: nothing more happens to the order within the time of a request. */
export function isSettled(order: Order): boolean {
  return order.state !== "PLACED" && order.state !== "RESERVED";
}

function placed(event: OrderPlaced, occurredAt: Date): Order {
  const { orderId, userId, total } = event;
  return {
    orderId,
    userId,
    state: "PLACED",
    lines: event.lines.map((line) => ({
      sku: line.sku,
      name: line.name,
      quantity: line.quantity,
      unitPrice: fromMessage(line.unitPrice),
    })),
    total: fromMessage(total),
    cancelReason: "",
    cancelCause: "",
    paymentInstructions: "",
    paymentDueAt: undefined,
    trackingNumber: "",
    history: [{ state: "PLACED", enteredAt: occurredAt }],
    version: 1,
  };
}

function stateAfter(event: Exclude<OrderEvent, OrderPlaced>): OrderState {
  switch (event.$typeName) {
    case "shop.order.v1.OrderReserved":
      return "RESERVED";
    case "shop.order.v1.OrderAwaitingPayment":
      return "AWAITING_PAYMENT";
    case "shop.order.v1.OrderConfirmed":
      return "CONFIRMED";
    case "shop.order.v1.OrderPaid":
      return "PAID";
    case "shop.order.v1.OrderShipped":
      return "SHIPPED";
    case "shop.order.v1.OrderDelivered":
      return "DELIVERED";
    case "shop.order.v1.OrderCancelled":
      return "CANCELLED";
  }
}

/** A cause that only a later version of this service knows is none here. */
function causeOf(cause: CancellationCause | undefined): CancelCause {
  const known = Object.entries(CancellationCause).find(([, value]) => value === cause)?.[0] ?? "UNSPECIFIED";
  return known === "UNSPECIFIED" ? "" : (known as CancelCause);
}

function fromMessage(money: Money | undefined): Money {
  if (money === undefined) throw rpcError(Code.DataLoss, "an order's event has an amount without a value");
  return { currencyCode: money.currencyCode, minorUnits: money.minorUnits };
}

function illegal(order: Order | undefined, what: string) {
  const where =
    order === undefined ? "an order that does not exist" : `order ${order.orderId}, which is ${order.state}`;
  return rpcError(Code.FailedPrecondition, `${what} cannot happen to ${where}`, { reason: "ORDER_STATE" });
}
