import { type Order, OrderState } from "../../../../gen/shop/api/v1/order_pb.ts";

/** A state in the customer's words. */
export interface StateWords {
  readonly title: string;
  readonly message: string;
}

const words: Readonly<Record<number, StateWords>> = {
  [OrderState.PLACED]: { title: "Received", message: "We are putting your things aside." },
  [OrderState.RESERVED]: { title: "Put aside", message: "Your things are kept for you while we ask your bank." },
  [OrderState.AWAITING_PAYMENT]: {
    title: "Waiting for payment",
    message: "Your things stay aside while we wait for the payment.",
  },
  [OrderState.CONFIRMED]: { title: "Confirmed", message: "Your bank has agreed. The payment follows." },
  [OrderState.PAID]: { title: "Paid", message: "Thank you. We are packing your parcel." },
  [OrderState.SHIPPED]: { title: "On its way", message: "Your parcel has left the warehouse." },
  [OrderState.DELIVERED]: { title: "Delivered", message: "Your parcel has arrived. Enjoy." },
  [OrderState.CANCELLED]: { title: "Cancelled", message: "Nothing is charged; what was charged comes back." },
};

export function stateWords(state: OrderState): StateWords {
  return words[state] ?? { title: "In progress", message: "We are working on it." };
}

/** "paid", for style sheets and tests. */
export function stateName(state: OrderState): string {
  return (Object.entries(OrderState).find(([, value]) => value === state)?.[0] ?? "unspecified").toLowerCase();
}

/** A warehouse can stop it until it has left. */
export function canCancel(state: OrderState): boolean {
  return state !== OrderState.CANCELLED && state !== OrderState.SHIPPED && state !== OrderState.DELIVERED;
}

/** One step of an order's way: behind it, where it stands, or ahead. */
export interface Step {
  readonly state: OrderState;
  readonly position: "past" | "present" | "future";
  readonly enteredAtMs?: number;
}

const goodWay: readonly OrderState[] = [
  OrderState.PLACED,
  OrderState.RESERVED,
  OrderState.CONFIRMED,
  OrderState.PAID,
  OrderState.SHIPPED,
  OrderState.DELIVERED,
];

/** Where the order has been, where it is, and, while all is well, what is still to come. */
export function stepsOf({ state, history }: Pick<Order, "state" | "history">): Step[] {
  const behind = history.map(({ state: entered, enteredAt }, index): Step => {
    const atMs = enteredAt && Number(enteredAt.seconds) * 1_000 + enteredAt.nanos / 1e6;
    const position = index === history.length - 1 ? "present" : "past";
    return { state: entered, position, ...(atMs !== undefined && { enteredAtMs: atMs }) };
  });
  if (state === OrderState.CANCELLED) return behind;
  const resting = state === OrderState.AWAITING_PAYMENT ? OrderState.RESERVED : state;
  const ahead = goodWay.slice(goodWay.indexOf(resting) + 1);
  return [...behind, ...ahead.map((next): Step => ({ state: next, position: "future" }))];
}
