import { setTimeout as pause } from "node:timers/promises";
import { integerFrom, oneOf, type Random } from "../../dev/history/chance.ts";
import { SEED_PRODUCTS } from "../../dev/seed-data.ts";
import type { ServiceName } from "../../dev/stack/ports.ts";
import { untilAtRest } from "../at-rest.ts";
import { checkBooks } from "../check-books.ts";
import type { Finding } from "../checks/finding.ts";
import type { World } from "../world.ts";
import { type Buyers, createBuyers } from "./buyers.ts";
import { portion, type Scenario } from "./scenario.ts";

const ROUNDS = 20;
const BUYERS = 25;
const ORDERS = 500;
const VICTIMS: readonly ServiceName[] = ["order", "inventory", "payment"];
const REST_TIMEOUT_MS = 60_000;
const START_TRIES_MAX = 3;
const SOLD = "'CONFIRMED', 'PAID', 'SHIPPED', 'DELIVERED'";

/** One round: what became of one unit. */
interface Round {
  readonly sold: number;
  readonly kills: number;
  readonly answered: number;
  readonly unknown: number;
  readonly restMs: number;
  readonly findings: readonly Finding[];
}

/** Many want the last unit of a product while the services that give it to one of them are killed at random. */
export const lastUnit: Scenario = {
  name: "last-unit",
  what: `${ORDERS} PlaceOrder at once for one unit while order, inventory and payment are killed at random, ${ROUNDS} times`,
  async run({ world, random, share, say }) {
    const rounds = portion(ROUNDS, share);
    const buyers = await createBuyers(world, BUYERS, random);
    // From the end: the load's shoppers want the first ones.
    const skus = SEED_PRODUCTS.filter(({ stock }) => stock === 1)
      .map(({ sku }) => sku)
      .slice(-rounds);
    const done: Round[] = [];
    for (const sku of skus) {
      const round = await runRound(world, buyers, random, sku);
      done.push(round);
      const { sold, kills, answered, unknown, restMs } = round;
      const told = `${sold} sold, ${kills} killed, ${answered} answered, ${unknown} unknown`;
      say(`  last-unit ${done.length}/${rounds}: ${told}, at rest after ${(restMs / 1_000).toFixed(1)} s`);
    }
    const sum = (of: (round: Round) => number) => done.reduce((sofar, round) => sofar + of(round), 0);
    return {
      figures: {
        rounds: done.length,
        orders: ORDERS * done.length,
        kills: sum(({ kills }) => kills),
        sold_once: done.filter(({ sold }) => sold === 1).length,
        sold_to_nobody: done.filter(({ sold }) => sold === 0).length,
        sold_twice: done.filter(({ sold }) => sold > 1).length,
        unknown: sum(({ unknown }) => unknown),
      },
      findings: [
        ...done.flatMap(({ findings }) => findings),
        ...world.sampler.findings(),
        ...(await checkBooks(world.truth, world.log.operations(), world.opening)),
      ],
    };
  },
};

async function runRound(world: World, buyers: Buyers, random: Random, sku: string): Promise<Round> {
  const stopping = new AbortController();
  const killing = killAtRandom(world, random, stopping.signal);
  const answers = await Promise.all(Array.from({ length: ORDERS }, () => buyers.buy({ sku })));
  stopping.abort();
  const kills = await killing;
  await world.healAll();
  const { tookMs: restMs, moving } = await untilAtRest(world.truth, REST_TIMEOUT_MS);
  const { sold, findings } = await lookAt(world, sku);
  const unknown = answers.filter(({ outcome }) => outcome === "unknown").length;
  const unrest: Finding[] =
    moving === undefined
      ? []
      : [{ invariant: "all is at rest 60 s after the heal", kind: "unresolved", subject: sku, detail: moving }];
  return { sold, kills, answered: ORDERS - unknown, unknown, restMs, findings: [...findings, ...unrest] };
}

/** Kills one instance after another, at any moment, and starts it again. Answers with how many. */
async function killAtRandom(world: World, random: Random, signal: AbortSignal): Promise<number> {
  let kills = 0;
  const sleep = (ms: number) => pause(ms, undefined, { signal }).catch(() => {});
  for (await sleep(integerFrom(random, 50, 400)); !signal.aborted; ) {
    const { name } = oneOf(random, world.instancesOf(oneOf(random, VICTIMS)));
    await world.kill(name);
    kills += 1;
    await sleep(integerFrom(random, 100, 1_000));
    await startAgain(world, name);
    await sleep(integerFrom(random, 50, 600));
  }
  return kills;
}

/** On a machine this busy a process may give up its start: its database was too slow for it. The last attempt is healAll's. */
async function startAgain(world: World, name: string): Promise<void> {
  for (let tries = 1; tries <= START_TRIES_MAX; tries += 1) {
    const started = await world.start(name).then(
      () => true,
      () => false,
    );
    if (started) return;
  }
}

/** At most one has it; if nobody has, it is on sale; and nothing is held for it any more. */
async function lookAt(world: World, sku: string): Promise<{ sold: number; findings: Finding[] }> {
  const { truth } = world;
  const like = `%"sku":"${sku}"%`;
  const orders = await truth.rows<{ order_id: string }>(
    "order",
    `SELECT order_id FROM orders WHERE state IN (${SOLD}) AND order_lines LIKE ?`,
    [like],
  );
  const held = await truth.rows<{ order_id: string }>(
    "inventory",
    `SELECT r.order_id FROM reservations AS r JOIN reservation_lines AS l ON l.order_id = r.order_id
     WHERE l.sku = ? AND r.state = 'HELD'`,
    [sku],
  );
  const [stock] = await truth.rows<{ on_hand: string; held: string }>(
    "inventory",
    "SELECT on_hand, held FROM stock WHERE sku = ?",
    [sku],
  );
  const onSale = Number(stock?.on_hand) - Number(stock?.held);
  const findings: Finding[] = held.map(({ order_id: subject }) => {
    return { invariant: "no orphan reservation", kind: "unresolved", subject, detail: `holds ${sku} at rest` };
  });
  if (orders.length + onSale !== 1) {
    const detail = `sold to ${orders.map(({ order_id }) => order_id).join(", ") || "nobody"}, ${onSale} on sale`;
    findings.push({ invariant: "one unit is sold once or on sale", kind: "wrong", subject: sku, detail });
  }
  return { sold: orders.length, findings };
}
