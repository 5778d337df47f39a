import { setTimeout as pause } from "node:timers/promises";
import { oneOf } from "../../dev/history/chance.ts";
import { SEED_PRODUCTS } from "../../dev/seed-data.ts";
import { untilAtRest } from "../at-rest.ts";
import { checkBooks } from "../check-books.ts";
import type { Finding } from "../checks/finding.ts";
import { type Bought, createBuyers } from "./buyers.ts";
import { portion, type Scenario } from "./scenario.ts";

const FROZEN_MS = 30_000;
const BUYERS = 10;
const ORDERS_PER_SECOND = 10;
const ANSWER_MAX_MS = 1_000;
const REST_TIMEOUT_MS = 60_000;

/** Payment stands still during a load: customers are told at once that their payment is awaited. */
export const paymentFrozen: Scenario = {
  name: "payment-frozen",
  what: `payment is frozen for ${FROZEN_MS / 1_000} s during load; customers get AWAITING_PAYMENT within ${ANSWER_MAX_MS} ms`,
  async run({ world, random, share }) {
    const buyers = await createBuyers(world, BUYERS, random);
    const skus = SEED_PRODUCTS.filter(({ stock }) => stock >= 100).map(({ sku }) => sku);
    const buy = () => buyers.buy({ sku: oneOf(random, skus) });
    // Connections are there, code is warm: what is measured is the freeze.
    for (let count = 0; count < 2 * BUYERS; count += 1) await buy();
    const payments = world.instancesOf("payment").map(({ name }) => name);
    for (const name of payments) world.freeze(name);
    const asked: Promise<Bought>[] = [];
    const untilMs = performance.now() + portion(FROZEN_MS, share);
    while (performance.now() < untilMs) {
      asked.push(buy());
      await pause(1_000 / ORDERS_PER_SECOND);
    }
    const answers = await Promise.all(asked);
    for (const name of payments) world.thaw(name);
    await world.healAll();
    const { tookMs: restMs, moving } = await untilAtRest(world.truth, REST_TIMEOUT_MS);

    const findings: Finding[] = [
      ...answers.flatMap((answer) => lateOrWrong(answer)),
      ...(await checkBooks(world.truth, world.log.operations(), world.opening)),
      ...world.sampler.findings(),
    ];
    if (moving !== undefined) {
      const invariant = "all is at rest 60 s after the heal";
      findings.push({ invariant, kind: "unresolved", subject: "payment-frozen", detail: moving });
    }
    const sorted = answers.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
    const at = (share: number) =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
    const ended = await statesOf(world.truth, new Set(answers.flatMap(({ orderId = [] }) => orderId)));
    return {
      figures: {
        orders: answers.length,
        awaiting_payment: answers.filter(({ state }) => state === "AWAITING_PAYMENT").length,
        ...{ answer_p50_ms: at(0.5), answer_p99_ms: at(0.99), answer_max_ms: at(1) },
        ...{ ended, rest_ms: Math.round(restMs) },
      },
      findings,
    };
  },
};

function lateOrWrong({ orderId = "", state = "", outcome, code = "", tookMs }: Bought): Finding[] {
  const invariant = `customers get AWAITING_PAYMENT within ${ANSWER_MAX_MS} ms`;
  if (state === "AWAITING_PAYMENT" && tookMs <= ANSWER_MAX_MS) return [];
  const detail = `${outcome} ${state}${code} after ${Math.round(tookMs)} ms`;
  return [{ invariant, kind: "wrong", subject: orderId, detail }];
}

type Truth = Parameters<typeof untilAtRest>[0];

async function statesOf(truth: Truth, orderIds: ReadonlySet<string>): Promise<string> {
  const rows = await truth.rows<{ order_id: string; state: string }>("order", "SELECT order_id, state FROM orders");
  const counts = Map.groupBy(
    rows.filter(({ order_id }) => orderIds.has(order_id)),
    ({ state }) => state,
  );
  return [...counts].map(([state, own]) => `${own.length} ${state}`).join(", ");
}
