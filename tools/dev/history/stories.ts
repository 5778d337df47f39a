import { integerFrom, type Random } from "./chance.ts";
import type { Life } from "./life.ts";
import { nextWorkingMoment } from "./rhythm.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** How long an order waits for its payment before it is cancelled. */
const AWAITING_PAYMENT_MS = 30 * MINUTE_MS;
/** The provider was asked again so long after it was back. */
const RESOLVE_MS = 20_000;

/**
 * What becomes of an order. It answers with moments until which the order rests, before somebody does something: one that has not
 * come yet is where the story stops for now.
 */
export type Story = (life: Life, random: Random) => Iterable<number>;

/** Sold, packed by the next working day, brought one to three days later. */
export const sold: Story = function* (life, random) {
  reserve(life);
  life.money.authorize("authorized");
  confirm(life);
  yield* bePaidAndSent(life, random);
};

/** The customer thinks better of it before it is packed, and gets the money back. */
export const regretted: Story = function* (life, random) {
  reserve(life);
  life.money.authorize("authorized");
  confirm(life);
  bePaid(life);
  yield life.now() + integerFrom(random, 2, 110) * MINUTE_MS;
  life.find({ type: "customerCancelled" });
  beCancelled(life);
};

/** Somebody else was faster. */
export const outOfStock: (reason: string) => Story = (reason) => (life) => {
  life.pass(10);
  life.find({ type: "stockRefused", reason });
  return beCancelled(life);
};

/** The bank says no. */
export const declined: Story = (life) => {
  reserve(life);
  life.money.authorize("declined");
  life.pass(8);
  life.find({ type: "declined", reason: "insufficient funds" });
  return beCancelled(life);
};

/** The bank says yes, and no when it comes to paying. */
export const captureRefused: Story = (life) => {
  reserve(life);
  life.money.authorize("authorized");
  confirm(life);
  life.money.capture("refused");
  life.pass(30);
  life.find({ type: "captureFailed", reason: "authorization expired" });
  return beCancelled(life);
};

/** The payment provider is away, and back too late for this order. */
export const notPaidInTime: Story = (life) => {
  waitForPayment(life);
  life.passUntil(life.now() + AWAITING_PAYMENT_MS);
  life.find({ type: "paymentExpired" });
  beCancelled(life);
  life.pass(RESOLVE_MS);
  life.money.learn("absent");
  return [];
};

/** The payment provider is away, and has had the question after all. */
export const paidLate: (backAtMs: number) => Story = (backAtMs) =>
  function* (life, random) {
    waitForPayment(life);
    life.passUntil(backAtMs);
    life.pass(RESOLVE_MS);
    life.money.learn("authorized");
    life.pass(2_000);
    confirm(life);
    yield* bePaidAndSent(life, random);
  };

function reserve(life: Life): void {
  life.pass(12);
  life.stock.reserve();
  life.find({ type: "stockReserved" });
  life.pass(10);
}

function waitForPayment(life: Life): void {
  reserve(life);
  life.money.authorize("none");
  life.pass(800);
  const dueAt = new Date(life.now() + AWAITING_PAYMENT_MS);
  const instructions = `We could not find out whether your payment went through. Your order is kept until ${dueAt.toISOString()}.`;
  life.find({ type: "authorizationUnknown", instructions, dueAt });
}

function confirm(life: Life): void {
  life.pass(8);
  life.find({ type: "authorized" });
  life.pass(60);
  life.stock.commit();
}

function bePaid(life: Life): void {
  life.money.capture("captured");
  life.pass(40);
  life.find({ type: "captured" });
}

function* bePaidAndSent(life: Life, random: Random): Generator<number, void> {
  bePaid(life);
  yield nextWorkingMoment(life.now() + integerFrom(random, 2, 22) * HOUR_MS, random);
  life.find({ type: "shipped", trackingNumber: `JD01${integerFrom(random, 1e11, 9e11)}` });
  yield nextWorkingMoment(life.now() + integerFrom(random, 18, 62) * HOUR_MS, random, [0]);
  life.find({ type: "delivered" });
}

/** Stock and money are given back, and nothing more happens. */
function beCancelled(life: Life): [] {
  life.pass(40);
  life.stock.release();
  life.pass(30);
  life.money.giveBack();
  return [];
}
