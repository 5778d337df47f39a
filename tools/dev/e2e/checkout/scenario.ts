import fc from "fast-check";
import type { ProviderFault } from "../../outside/provider.ts";

/** What is ordered, of which products by their number, and how it is paid. */
export interface OrderSpec {
  readonly lines: readonly { readonly product: number; readonly quantity: number }[];
  readonly paymentMethod: string;
}

/** What somebody does, or what happens, to an order by its number. */
export type Command =
  | { readonly kind: "place" | "cancel" | "deliver"; readonly order: number }
  | { readonly kind: "ship"; readonly order: number; readonly trackingNumber: string }
  /** One of the events published so far comes once more. */
  | { readonly kind: "redeliver"; readonly event: number }
  /** The next such request at the provider goes wrong. */
  | { readonly kind: "fault"; readonly fault: ProviderFault };

/** Commands that are given side by side, each a little later than the round's beginning. */
export interface Round {
  /** Whether the round begins only when nothing moves any more. */
  readonly afterRest: boolean;
  readonly commands: readonly { readonly afterMs: number; readonly command: Command }[];
}

export interface Scenario {
  readonly products: readonly { readonly minorUnits: bigint; readonly onHand: number }[];
  readonly orders: readonly OrderSpec[];
  readonly rounds: readonly Round[];
}

/** The currencies of the products, by their numbers; the yen has no smaller unit. */
export const currencies = ["EUR", "EUR", "USD", "JPY"] as const;
const orderCount = 8;
const order = fc.nat(orderCount - 1);

const paymentMethod = fc.oneof(
  { weight: 4, arbitrary: fc.constant("tok_visa") },
  { weight: 1, arbitrary: fc.constantFrom("tok_declined", "tok_capture_fails") },
);
const quantity = fc.integer({ min: 1, max: 4 });
const ofOneCurrency = fc.oneof(
  fc.subarray([0, 1], { minLength: 1 }).chain((products) => fc.tuple(...products.map((product) => lineOf(product)))),
  fc.constantFrom(2, 3).chain((product) => fc.tuple(lineOf(product))),
);
const ofSeveral = fc.subarray([0, 2, 3], { minLength: 2 }).chain((all) => fc.tuple(...all.map(lineOf)));
const orderSpec: fc.Arbitrary<OrderSpec> = fc.record({
  lines: fc.oneof({ weight: 9, arbitrary: ofOneCurrency }, { weight: 1, arbitrary: ofSeveral }),
  paymentMethod,
});

const operation = fc.constantFrom<ProviderFault["operation"]>("authorize", "capture", "void", "refund");
const fault: fc.Arbitrary<ProviderFault> = fc.oneof(
  fc.record({ kind: fc.constantFrom("lost_reply" as const, "error" as const), operation, count: fc.constant(1) }),
  // Longer than order waits for an authorization, and than an order waits for its payment.
  fc.record({
    kind: fc.constant("delay" as const),
    ...{ operation, count: fc.constant(1), delay_ms: fc.constantFrom(100, 900, 1_500) },
  }),
);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("place" as const), order }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("cancel" as const), order }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("ship" as const),
      ...{ order, trackingNumber: fc.constantFrom("DHL-1", "DHL-2") },
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("deliver" as const), order }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("redeliver" as const), event: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fault" as const), fault }) },
);

const round: fc.Arbitrary<Round> = fc.record({
  afterRest: fc.boolean(),
  commands: fc.array(fc.record({ afterMs: fc.nat(80), command }), { minLength: 1, maxLength: 16, size: "max" }),
});

/** Several orders, and whatever can happen to them, in any order and at once. */
export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  products: fc.tuple(...currencies.map(() => fc.record({ minorUnits: fc.bigInt(1n, 5_000_000n), onHand: fc.nat(15) }))),
  orders: fc.array(orderSpec, { minLength: orderCount, maxLength: orderCount }),
  rounds: fc.array(round, { minLength: 1, maxLength: 6, size: "max" }),
});

function lineOf(product: number): fc.Arbitrary<OrderSpec["lines"][number]> {
  return fc.record({ product: fc.constant(product), quantity });
}
