import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type FigureRow, recordFigures } from "../testing/figures.ts";
import { type Answer, type Ask, type Asking, createAsking } from "./asks.ts";
import { expectBooksToBalance } from "./books.ts";
import { type Shop, startShop } from "./shop.ts";

const whole = "200, whole";
const noStock = "200, no stock, degraded: stock";
const fixedList = "200, whole, degraded: recommendations";
const confirmed = "200, CONFIRMED";
const awaitingPayment = "200, AWAITING_PAYMENT";
const placed = "200, PLACED";
const away = "503 unavailable, again in 1s";
const tooSlow = "504 deadline_exceeded, again in 1s";

/** Whom we take away, and how: killed processes refuse connections, frozen ones say nothing. */
interface Scene {
  readonly member: string;
  readonly how: "killed" | "frozen";
  /** What is answered once the breaker is open; of the page and of checkout what they always answer, if left out. */
  readonly answers: Partial<Readonly<Record<Ask, string>>>;
  /** What may be answered before. */
  readonly before?: string;
  /** Members that are started anew meanwhile, and have forgotten what they knew. */
  readonly restarted?: string;
}

const scenes: Scene[] = [
  // The engines first: what was being published when they went is published again when its lease has run out, in 30 s.
  { member: "redis", how: "killed", answers: { cart: away } },
  { member: "redis", how: "frozen", answers: { cart: away } },
  { member: "nats", how: "killed", answers: {} },
  { member: "nats", how: "frozen", answers: {} },
  { member: "mariadb", how: "killed", answers: { page: noStock, checkout: away } },
  { member: "mariadb", how: "frozen", answers: { page: noStock, checkout: away }, before: tooSlow },
  { member: "catalog", how: "killed", answers: { page: away, checkout: away } },
  { member: "catalog", how: "frozen", answers: { page: away, checkout: away }, before: tooSlow },
  { member: "inventory", how: "killed", answers: { page: noStock, checkout: placed } },
  { member: "inventory", how: "frozen", answers: { page: noStock, checkout: placed } },
  { member: "recommendation", how: "killed", answers: { page: fixedList } },
  { member: "recommendation", how: "frozen", answers: { page: fixedList } },
  { member: "analytics", how: "killed", answers: {} },
  { member: "analytics", how: "frozen", answers: { page: fixedList }, restarted: "recommendation" },
  { member: "cart", how: "killed", answers: { cart: away } },
  { member: "cart", how: "frozen", answers: { cart: away }, before: tooSlow },
  { member: "user", how: "killed", answers: { "log-in": away } },
  { member: "user", how: "frozen", answers: { "log-in": away }, before: tooSlow },
  { member: "payment", how: "killed", answers: { checkout: awaitingPayment } },
  { member: "payment", how: "frozen", answers: { checkout: awaitingPayment } },
  { member: "payment-provider", how: "killed", answers: { checkout: awaitingPayment } },
  { member: "payment-provider", how: "frozen", answers: { checkout: awaitingPayment } },
  { member: "order", how: "killed", answers: { checkout: away } },
  { member: "order", how: "frozen", answers: { checkout: away }, before: tooSlow },
];

const well: Readonly<Record<Ask, string>> = {
  page: whole,
  checkout: confirmed,
  cart: "200, the cart",
  "log-in": "200, logged in",
};

/** At once: enough to open a breaker, which takes five. */
const firstAsks = 6;
const laterAsks = 3;
/** What the deadlines in the contracts allow, and what a busy machine adds. */
const firstMsMax: Readonly<Record<Ask, number>> = { page: 1_500, checkout: 6_000, cart: 3_000, "log-in": 6_000 };
const slackMs = 500;
/** With the breaker open nobody waits for who is not there (a page would wait 300 ms for stock), but checkout for payment, and for stock once more. */
const laterMsMax: Readonly<Record<Ask, number>> = { page: 300, checkout: 500, cart: 500, "log-in": 500 };
const laterMsMaxOf: Readonly<Record<string, number>> = { [awaitingPayment]: 1_500, [placed]: 3_000 };
/** Who asks for what is not concerned waits for the work itself, on a machine that is busy with the others. */
const asEverMsMax = 1_500;
const healedMsMax = 5_000;

describe("each dependency of the product's page and of checkout taken away in turn", () => {
  let shop: Shop;
  let asking: Asking;
  const figures: FigureRow[] = [];
  beforeAll(async () => {
    shop = await startShop("multi");
    asking = await createAsking(shop.stack.addresses.edge, await shop.customer());
    await Promise.all(["page", "checkout", "cart", "log-in"].map((ask) => untilWell(ask as Ask)));
  }, 120_000);
  afterAll(async () => {
    if (figures.length > 0) await recordFigures("degradation", figures);
    await shop?.[Symbol.asyncDispose]();
  });

  /** Asks until all is as ever; answers when that was, in ms. */
  const untilWell = async (ask: Ask): Promise<number> => {
    const startedMs = performance.now();
    const check = async () => expect((await asking[ask]()).says).toBe(well[ask]);
    await vi.waitFor(check, { timeout: 15_000, interval: 25 });
    return performance.now() - startedMs;
  };
  const without = async <T>({ member, how, restarted }: Scene, work: () => Promise<T>): Promise<T> => {
    shop.stack.kill(member, how === "killed" ? "SIGKILL" : "SIGSTOP");
    if (how === "killed") await shop.stack.ended(member);
    try {
      if (restarted !== undefined) await shop.stack.restart(restarted);
      return await work();
    } finally {
      if (how === "killed") await shop.stack.start(member);
      else shop.stack.kill(member, "SIGCONT");
    }
  };
  const askTwice = async (ask: Ask) => {
    const first = await Promise.all(Array.from({ length: firstAsks }, asking[ask]));
    const later: Answer[] = [];
    while (later.length < laterAsks) later.push(await asking[ask]());
    return { ask, first, later };
  };

  test.each(scenes)("$member $how", { timeout: 60_000 }, async (scene) => {
    const expected = { page: whole, checkout: confirmed, ...scene.answers };
    const asks = Object.keys(expected) as Ask[];
    const seen = await without(scene, () => Promise.all(asks.map(askTwice)));
    const healed = new Map(await Promise.all(asks.map(async (ask) => [ask, await untilWell(ask)] as const)));
    for (const { ask, first, later } of seen) {
      const row = rowOf(scene, ask, first, later, healed.get(ask) ?? 0);
      if (ask in scene.answers || Object.keys(scene.answers).length === 0) figures.push(row);
      const told = JSON.stringify(row);
      const allowed = [expected[ask], scene.before];
      expect
        .soft(
          first.filter(({ says }) => !allowed.includes(says)),
          told,
        )
        .toEqual([]);
      expect.soft(slowest(first), told).toBeLessThan(firstMsMax[ask] + slackMs);
      expect.soft(mostOften(later), told).toBe(expected[ask]);
      const concerned = ask in scene.answers;
      const msMax = laterMsMaxOf[expected[ask] ?? ""] ?? laterMsMax[ask];
      expect.soft(fastest(later), told).toBeLessThan(concerned ? msMax : asEverMsMax);
      expect.soft(healed.get(ask), told).toBeLessThan(healedMsMax);
    }
    const page = await fetch(`${shop.stack.addresses.edge}/`, { headers: { accept: "text/html" } });
    expect(page.status, "the storefront itself is always there").toBe(200);
  });

  test("afterwards the books balance", { timeout: 90_000 }, async () => {
    await expect
      .poll(() => expectBooksToBalance(shop).then(() => "balanced", String), { timeout: 60_000 })
      .toBe("balanced");
  });
});

function rowOf(
  scene: Scene,
  ask: Ask,
  first: readonly Answer[],
  later: readonly Answer[],
  healedMs: number,
): FigureRow {
  const also = scene.restarted === undefined ? "" : `, ${scene.restarted} just started`;
  return {
    away: `${scene.member} ${scene.how}${also}`,
    asked: ask,
    "what the customer sees": mostOften(later),
    "first answers, ms": Math.round(slowest(first)),
    "breaker open, ms": Math.round(median(later)),
    "well again, ms": Math.round(healedMs),
  };
}

function slowest(answers: readonly Answer[]): number {
  return Math.max(...answers.map(({ tookMs }) => tookMs));
}

/** Nobody waits for who is away, however busy the machine is with the others. */
function fastest(answers: readonly Answer[]): number {
  return Math.min(...answers.map(({ tookMs }) => tookMs));
}

/** The middle one: a probe of a half-open breaker waits for who is frozen. */
function median(answers: readonly Answer[]): number {
  const times = answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? 0;
}

function mostOften(answers: readonly Answer[]): string {
  const counts = new Map<string, number>();
  for (const { says } of answers) counts.set(says, (counts.get(says) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "";
}
