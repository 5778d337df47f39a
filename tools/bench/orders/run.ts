import { type LoadResult, runLoad } from "../load.ts";
import { measureRound } from "../pair.ts";
import { type CountsByService, perOrder, readCounts, readCpu } from "./counts.ts";
import { type Floor, openFloor } from "./floor.ts";
import { beginRecording, countStatements, type StatementCount, type Unit } from "./recording.ts";
import { type Script, scriptsOf } from "./scripts.ts";
import { type BenchShop, startBenchShop } from "./shop.ts";

/** How long and how often to measure. */
export interface OrdersPlan {
  readonly rounds: number;
  readonly sliceMs: number;
  readonly warmUpMs: number;
  /** Orders whose statements are recorded, for each number in flight: at least so many, and three for each in flight. */
  readonly recordedMin: number;
  /** A second checkout, whose shop takes its turn in every round: what a change has brought. */
  readonly before?: string | undefined;
}

/** "before" only if there is a second checkout. */
export type OrdersPeer = "shop" | "before" | "floor";

/** What one peer did in one round. */
export interface OrdersSlice {
  readonly orders: number;
  /** Of them, answered AWAITING_PAYMENT, confirmed later. */
  readonly unconfirmed: number;
  /** The floor knows no difference. */
  readonly answeredPerSecond: number;
  /** To the point where all are captured, their events heard, their mails sent. */
  readonly settledPerSecond: number;
  /** Of the answers; the floor gives none. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of each process for each order, ms, the load's own ("client") among them. */
  readonly cpuMs: ReadonlyMap<string, number>;
}

export interface MeasuredOrders {
  readonly inFlight: number;
  readonly rounds: readonly Readonly<Partial<Record<OrdersPeer, OrdersSlice>>>[];
  /** Statements of each order with so many in flight. */
  readonly statements: readonly StatementCount[];
}

export interface OrdersResult {
  readonly rows: readonly MeasuredOrders[];
  /** What each order cost its services, over all rows. */
  readonly counts: { readonly before: CountsByService; readonly after: CountsByService; readonly orders: number };
}

const IN_FLIGHT = [1, 16, 64];
/** Of a service's pool (mesh/data). */
const POOL_SIZE = 10;
const floorWarmUpOrders = 60;

interface Recorded {
  readonly inFlight: number;
  readonly units: readonly Unit[];
  readonly scripts: readonly Script[];
  readonly statements: readonly StatementCount[];
}

/** Measures orders through the edge against the SQL statements that they caused, run by bare mysql2 on the same server. */
export async function runOrders(plan: OrdersPlan): Promise<OrdersResult> {
  await using resources = new AsyncDisposableStack();
  const shop = resources.use(await startBenchShop());
  const before = plan.before && resources.use(await startBenchShop({ repository: plan.before }));
  const shops = new Map<OrdersPeer, BenchShop>([["shop", shop], ...(before ? [["before", before] as const] : [])]);
  for (const each of shops.values()) await warmUp(each, plan.warmUpMs);
  const recorded = await recordAll(shop, plan.recordedMin);
  const services = [...new Set(recorded.flatMap(({ units }) => units.map(({ service }) => service)))];
  const { engines, database } = shop.stack.addresses;
  const floor = resources.use(
    await openFloor({ adminUrl: engines.mysql, schemaPrefix: database.schemaPrefix, services, poolSize: POOL_SIZE }),
  );
  const speeds = new Map<number, number>();
  for (const { inFlight, scripts } of recorded) {
    const { elapsedMs } = await floor.run(floor.prepare(scripts, floorWarmUpOrders), inFlight);
    speeds.set(inFlight, floorWarmUpOrders / elapsedMs);
  }

  const rows = recorded.map(({ inFlight, statements }) => ({
    ...{ inFlight, statements },
    rounds: [] as Partial<Record<OrdersPeer, OrdersSlice>>[],
  }));
  const peers: OrdersPeer[] = [...shops.keys(), "floor"];
  const countsBefore = await readCounts(shop);
  for (let round = 0; round < plan.rounds; round++) {
    for (const [index, { inFlight, rounds }] of rows.entries()) {
      const measure = (peer: OrdersPeer): Promise<OrdersSlice> => {
        const own = shops.get(peer);
        if (own !== undefined) return measureShop(own, inFlight, plan.sliceMs);
        const orders = Math.max(inFlight, Math.round((speeds.get(inFlight) ?? 0) * plan.sliceMs));
        return measureFloor({ floor, shop, scripts: recorded[index]?.scripts ?? [], orders, inFlight });
      };
      rounds.push(await measureRound(peers, round, measure));
    }
  }
  const orders = rows.flatMap(({ rounds }) => rounds).reduce((sum, round) => sum + (round.shop?.orders ?? 0), 0);
  return { rows, counts: { before: countsBefore, after: await readCounts(shop), orders } };
}

/**
 * Loads a shop so that profiles of its processes show what orders cost; they are written when it ends.
 *
 * @returns how many orders that were, and since when, by the system's monotonic clock
 */
export async function profileOrders(
  profileDirectory: string,
  plan: { readonly warmUpMs: number; readonly durationMs: number },
): Promise<{ orders: number; fromUs: number }> {
  await using shop = await startBenchShop({ profileDirectory });
  await warmUp(shop, plan.warmUpMs);
  const fromUs = Number(process.hrtime.bigint() / 1000n);
  const { calls: orders } = await runLoad(shop.place, { inFlight: 16, durationMs: plan.durationMs });
  await shop.quiet();
  return { orders, fromUs };
}

/** Orders one by one first: sixty-four at once, of a shop that has compiled nothing, may take longer than they may. */
async function warmUp(shop: BenchShop, durationMs: number): Promise<void> {
  for (const inFlight of IN_FLIGHT) await runLoad(shop.place, { inFlight, durationMs: durationMs / IN_FLIGHT.length });
  await shop.quiet();
}

async function recordAll(shop: BenchShop, recordedMin: number): Promise<Recorded[]> {
  const recorder = await beginRecording(shop.admin, shop.stack.addresses.database.schemaPrefix);
  await reconnect(shop);
  const recorded: Recorded[] = [];
  for (const inFlight of IN_FLIGHT) {
    await recorder.clear();
    const count = Math.max(recordedMin, 3 * inFlight);
    const orderIds = await placeMany(shop, count, inFlight);
    const units = await recorder.read();
    recorded.push({ inFlight, units, scripts: scriptsOf(units, orderIds), statements: countStatements(units, count) });
  }
  await recorder.end();
  await reconnect(shop);
  return recorded;
}

/** Has the services open connections, as many as they have when they are busy; an order may find one that has just been closed. */
async function reconnect(shop: BenchShop): Promise<void> {
  const busy = Math.max(...IN_FLIGHT);
  await placeMany({ ...shop, place: () => shop.place().catch(() => "") }, busy, busy);
}

async function placeMany(shop: BenchShop, count: number, inFlight: number): Promise<string[]> {
  const orderIds: string[] = [];
  let begun = 0;
  const work = async (): Promise<void> => {
    while (begun++ < count) orderIds.push(await shop.place());
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  await shop.quiet();
  return orderIds;
}

async function measureShop(shop: BenchShop, inFlight: number, durationMs: number): Promise<OrdersSlice> {
  const cpuBefore = readCpu(shop);
  const unconfirmedBefore = shop.unconfirmed();
  const startedAt = performance.now();
  const load: LoadResult = await runLoad(shop.place, { inFlight, durationMs });
  await shop.settled();
  const settledMs = performance.now() - startedAt;
  await shop.quiet();
  const { calls, callsPerSecond: answeredPerSecond, p50Ms, p99Ms } = load;
  return {
    ...{ orders: calls, unconfirmed: shop.unconfirmed() - unconfirmedBefore, answeredPerSecond, p50Ms, p99Ms },
    settledPerSecond: (calls / settledMs) * 1000,
    cpuMs: perOrder(cpuBefore, readCpu(shop), calls),
  };
}

async function measureFloor(of: {
  readonly floor: Floor;
  readonly shop: BenchShop;
  readonly scripts: readonly Script[];
  readonly orders: number;
  readonly inFlight: number;
}): Promise<OrdersSlice> {
  const { floor, shop, scripts, orders, inFlight } = of;
  const prepared = floor.prepare(scripts, orders);
  const cpuBefore = readCpu(shop);
  const { elapsedMs } = await floor.run(prepared, inFlight);
  const cpu = perOrder(cpuBefore, readCpu(shop), orders);
  const perSecond = (orders / elapsedMs) * 1000;
  return {
    ...{ orders, unconfirmed: 0, answeredPerSecond: perSecond, settledPerSecond: perSecond },
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
    // The services idle meanwhile.
    cpuMs: new Map(["client", "mariadb"].map((name) => [name, cpu.get(name) ?? Number.NaN])),
  };
}
