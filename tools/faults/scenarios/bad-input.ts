import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { EventEnvelopeSchema } from "@weft/mesh/gen/weft/v1/event_pb.js";
import { headers } from "nats";
import { OrderCancelledSchema, OrderConfirmedSchema } from "../../../gen/shop/order/v1/events_pb.ts";
import { PaymentCapturedSchema } from "../../../gen/shop/payment/v1/events_pb.ts";
import { oneOf } from "../../dev/history/chance.ts";
import { SEED_PRODUCTS } from "../../dev/seed-data.ts";
import { untilAtRest } from "../at-rest.ts";
import { checkBooks } from "../check-books.ts";
import type { Finding } from "../checks/finding.ts";
import { createBuyers } from "./buyers.ts";
import type { Scenario } from "./scenario.ts";

/** What can be read and not be handled is delivered ten times, with growing waits: a minute and a half. */
const BURIAL_MS = 180_000;
const ORDERS = 60;
const ORDERS_PER_SECOND = 10;
const HELD_UP_MS = 5_000;
const BUYERS = 5;

/** A bad message, and the consumers that must give it up: those that hear of its subject and cannot make sense of it. */
interface Bad {
  readonly what: string;
  readonly subject: string;
  readonly id: string;
  readonly data: Uint8Array;
  readonly buriedBy: readonly string[];
}

const order = (name: string) => `shop.order.v1.${name}`;
const hearConfirmed = ["inventory", "order", "payment", "notification", "recommendation", "analytics"];

function badMessages(): Bad[] {
  const message = (what: string, subject: string, payload: Uint8Array, buriedBy: string[], type = subject): Bad => {
    const [id, aggregateId] = [`bad-${randomUUID()}`, "ord_00nobody"];
    const facts = { eventId: id, type, aggregateId, aggregateVersion: 3n, occurredAt: timestampNow(), payload };
    return { what, subject, id, data: toBinary(EventEnvelopeSchema, create(EventEnvelopeSchema, facts)), buriedBy };
  };
  /** Each an order of its own: what one is told of must not make sense of another. */
  const ofNobody = (): { orderId: string; userId: string } => ({
    orderId: `ord_00${randomUUID()}`,
    userId: "usr_nobody",
  });
  const confirmed = () => toBinary(OrderConfirmedSchema, create(OrderConfirmedSchema, ofNobody()));
  const cancelled = () => toBinary(OrderCancelledSchema, create(OrderCancelledSchema, ofNobody()));
  const amount = { currencyCode: "EUR", minorUnits: 100n };
  const captured = () => toBinary(PaymentCapturedSchema, create(PaymentCapturedSchema, { ...ofNobody(), amount }));
  const garbage = new Uint8Array([0xff, 0xff, 0xff, 0x07]);
  return [
    // Nobody has asked for it: acknowledged and counted, and no letter.
    message("an event of an unknown subject", order("OrderTeleported"), confirmed(), []),
    message(
      "an event of an unknown type",
      order("OrderConfirmed"),
      confirmed(),
      hearConfirmed,
      order("OrderTeleported"),
    ),
    { ...message("a broken envelope", order("OrderConfirmed"), garbage, hearConfirmed), data: garbage },
    message("a broken body", order("OrderConfirmed"), garbage, hearConfirmed),
    message("a confirmation of an order that does not exist", order("OrderConfirmed"), confirmed(), [
      ...["inventory", "order", "payment"],
    ]),
    // Inventory and payment write down that it is not to be had any more, should it come after all.
    message("a cancellation of an order that does not exist", order("OrderCancelled"), cancelled(), ["order"]),
    message("a capture for an order that does not exist", "shop.payment.v1.PaymentCaptured", captured(), ["order"]),
  ];
}

/** Messages that make no sense, among those that do. */
export const badInput: Scenario = {
  name: "bad-input",
  what: "events of an unknown type, with a broken body, for an order that does not exist: dead letters, and nothing else is held up",
  async run({ world, random }) {
    const { truth } = world;
    const buyers = await createBuyers(world, BUYERS, random);
    const skus = SEED_PRODUCTS.filter(({ stock }) => stock >= 100).map(({ sku }) => sku);
    const bad = badMessages();
    await truth.publish(
      bad.map(({ subject, id, data }) => {
        const own = headers();
        own.set("Nats-Msg-Id", id);
        return { subject, data, headers: own };
      }),
    );
    const bought = [];
    for (let count = 0; count < ORDERS; count += 1) {
      bought.push(buyers.buy({ sku: oneOf(random, skus) }));
      await pause(1_000 / ORDERS_PER_SECOND);
    }
    const orderIds = (await Promise.all(bought)).flatMap(({ orderId = [] }) => orderId);
    const paidMs = await untilPaid(truth, orderIds);
    const { tookMs, moving } = await untilAtRest(truth, BURIAL_MS);

    const letters = await truth.deadLetters();
    const findings: Finding[] = bad.flatMap(({ what, id, buriedBy }) => {
      const by = letters.filter(({ eventId }) => eventId === id).map(({ consumer }) => consumer);
      const missing = buriedBy.filter((name) => !by.includes(name));
      const surplus = by.filter((name) => !buriedBy.includes(name));
      if (missing.length + surplus.length === 0) return [];
      const detail = `no letter by ${missing.join(", ") || "none"}, one by ${surplus.join(", ") || "none"} that should not`;
      return [{ invariant: "bad input is a dead letter", kind: "lost", subject: what, detail }];
    });
    if (paidMs > HELD_UP_MS) {
      const detail = `the orders beside it were paid for after ${Math.round(paidMs)} ms`;
      findings.push({ invariant: "nothing else is held up", kind: "wrong", subject: "bad-input", detail });
    }
    if (moving !== undefined) {
      findings.push({
        invariant: "bad input is a dead letter",
        kind: "unresolved",
        subject: "bad-input",
        detail: moving,
      });
    }
    findings.push(...(await checkBooks(truth, world.log.operations(), world.opening)), ...world.sampler.findings());
    const ids = new Set(bad.map(({ id }) => id));
    return {
      figures: {
        bad_messages: bad.length,
        dead_letters: letters.filter(({ eventId }) => ids.has(eventId)).length,
        ...{ orders_beside: orderIds.length, paid_within_ms: Math.round(paidMs), last_letter_ms: Math.round(tookMs) },
      },
      findings,
    };
  },
};

type Truth = Parameters<typeof untilAtRest>[0];

/** How long after the last order was placed all were paid for, which takes an event to payment and one back; at most HELD_UP_MS and a bit. */
async function untilPaid(truth: Truth, orderIds: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const marks = orderIds.map(() => "?").join(", ");
    const sql = `SELECT order_id FROM orders WHERE order_id IN (${marks}) AND state <> 'PAID'`;
    const unpaid = await truth.rows("order", sql, orderIds);
    const tookMs = performance.now() - startedMs;
    if (unpaid.length === 0 || tookMs > HELD_UP_MS) return tookMs;
    await pause(50);
  }
}
