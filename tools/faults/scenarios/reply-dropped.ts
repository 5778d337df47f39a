import { oneOf } from "../../dev/history/chance.ts";
import { SEED_PRODUCTS } from "../../dev/seed-data.ts";
import { untilAtRest } from "../at-rest.ts";
import { checkBooks } from "../check-books.ts";
import type { Finding } from "../checks/finding.ts";
import { createBuyers } from "./buyers.ts";
import { portion, type Scenario } from "./scenario.ts";

const DROPS = 1_000;
/** Of those that are charged at the provider: more than half, and payment's breaker would ask it no more. */
const DROPPED_SHARE = 0.35;
const BUYERS = 20;
const AT_ONCE = 20;
const ORDERS_MAX = 6_000;
const REST_TIMEOUT_MS = 60_000;

/** The provider authorizes or captures, writes it down, and its reply is lost on the way. */
export const replyDropped: Scenario = {
  name: "reply-dropped",
  what: `the provider's reply is lost after it has charged, ${DROPS} times`,
  async run({ world, random, share }) {
    const drops = portion(DROPS, share);
    const buyers = await createBuyers(world, BUYERS, random);
    const skus = SEED_PRODUCTS.filter(({ stock }) => stock >= 100).map(({ sku }) => sku);
    const link = world.stack.links.get("payment>provider");
    const isDropped = (request: Buffer) => isCharge(request) && random() < DROPPED_SHARE;
    await link.set({ kind: "replyLost", times: drops, fits: isDropped });
    let orders = 0;
    const buyOn = async (): Promise<void> => {
      while (link.mode().kind === "replyLost" && orders < ORDERS_MAX) {
        orders += 1;
        await buyers.buy({ sku: oneOf(random, skus) });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, buyOn));
    const dropped = link.counts().hits;
    await world.healAll();
    const { tookMs, moving } = await untilAtRest(world.truth, REST_TIMEOUT_MS);
    const ledger = await world.truth.ledger();
    const twice = [...Map.groupBy(ledger, ({ reference, type }) => `${type} ${reference}`).values()].filter(
      ({ length }) => length > 1,
    );
    const findings: Finding[] = [
      ...(await checkBooks(world.truth, world.log.operations(), world.opening)),
      ...world.sampler.findings(),
    ];
    if (dropped < drops) {
      const detail = `${dropped} of ${drops} in ${orders} orders`;
      findings.push({ invariant: "so many replies are lost", kind: "wrong", subject: "payment>provider", detail });
    }
    if (moving !== undefined) {
      const invariant = "all is at rest 60 s after the heal";
      findings.push({ invariant, kind: "unresolved", subject: "reply-dropped", detail: moving });
    }
    const charges = ledger.filter(({ type }) => type === "authorize" || type === "capture").length;
    return {
      figures: { orders, dropped, charges, double_charges: twice.length, rest_ms: Math.round(tookMs) },
      findings,
    };
  },
};

/** A POST that moves money: an authorization, or its capture. */
export function isCharge(request: Buffer): boolean {
  const line = request.subarray(0, 200).toString("latin1").split("\r\n", 1)[0] ?? "";
  return /^POST \/v1\/authorizations(\/[^/]+\/capture)? HTTP/.test(line);
}
