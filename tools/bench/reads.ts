import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createDatabase } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { createConnection } from "mysql2/promise";
import { type ProductSeed, seedProducts } from "../../services/catalog/store.ts";
import { createDatabaseAndUser } from "../dev/engines/database.ts";
import { createEngines, type Engines } from "../dev/engines/engines.ts";
import { freePort } from "../dev/processes/ports.ts";
import { measureRound, measureSlice, type Pair, type Slice, startPair } from "./pair.ts";
import type { BenchPlan } from "./plan.ts";
import { prepare } from "./surroundings.ts";
import { trustDomain } from "./trust-domain.ts";

/** The catalog as it is, and one whose setting turns the cache off. */
export type ReadPeer = "cached" | "uncached";

export interface ReadSlice extends Slice {
  /** SELECT statements that the database server has run meanwhile. */
  readonly databaseReads: number;
}

/** One row: what each peer did in each round. */
export interface MeasuredReads {
  readonly workload: ReadMethod;
  readonly inFlight: number;
  readonly rounds: readonly Readonly<Record<ReadPeer, ReadSlice>>[];
}

export type ReadMethod = "GetProduct" | "ListProducts";

const peers: readonly ReadPeer[] = ["cached", "uncached"];
const workloads: readonly ReadMethod[] = ["GetProduct", "ListProducts"];
const inFlights = [1, 64];
const cacheTtlMs: Readonly<Record<ReadPeer, string>> = { cached: "300000", uncached: "0" };
const cacheDirectory = fileURLToPath(new URL("../../.weft/cache", import.meta.url));

/**
 * Measures reads of catalog over the mesh with and without its cache, on one database, one Redis and one NATS of their own. Products and
 * pages are asked for by Zipf's law.
 */
export async function runReads(plan: BenchPlan, products: readonly ProductSeed[]): Promise<MeasuredReads[]> {
  await using resources = new AsyncDisposableStack();
  const { directory, env } = await prepare(resources, ["catalog", "bench"]);
  const engines = resources.use(createEngines({ directory: join(directory, "engines"), cacheDirectory }));
  await Promise.all((["mariadb", "nats", "redis"] as const).map((name) => engines.start(name)));
  const mysqlUrl = await createDatabaseAndUser(engines.mysqlUrl, "shop_catalog", "weft");
  const pairs = new Map<ReadPeer, Pair>();
  for (const name of peers) {
    const environment = await catalogEnvironment({ env, engines, mysqlUrl, ttlMs: cacheTtlMs[name] });
    const { profileDirectory } = plan;
    const programs = { server: "catalog-server", client: "catalog-client" };
    pairs.set(name, await startPair(resources, { name, ...programs, env: environment, profileDirectory }));
    // The first has made the tables.
    if (name === peers[0]) await fill(mysqlUrl, products);
  }

  const countReads = await openReadCounter(resources, engines.mysqlUrl);
  const load = async (
    peer: ReadPeer,
    workload: ReadMethod,
    inFlight: number,
    durationMs: number,
  ): Promise<ReadSlice> => {
    const pair = pairs.get(peer);
    if (!pair) throw new Error(`${peer} was not started`);
    const before = await countReads();
    const slice = await measureSlice(pair, { workload, inFlight, durationMs });
    return { ...slice, databaseReads: (await countReads()) - before };
  };
  for (const peer of peers) {
    for (const workload of workloads) await load(peer, workload, Math.max(...inFlights), plan.warmUpMs);
  }
  const rows = workloads.flatMap((workload) =>
    inFlights.map((inFlight) => ({ workload, inFlight, rounds: [] as Record<ReadPeer, ReadSlice>[] })),
  );
  for (let round = 0; round < plan.rounds; round++) {
    for (const { workload, inFlight, rounds } of rows) {
      rounds.push(await measureRound(peers, round, (peer) => load(peer, workload, inFlight, plan.sliceMs)));
    }
  }
  return rows;
}

interface CatalogOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly engines: Engines;
  readonly mysqlUrl: string;
  readonly ttlMs: string;
}

async function catalogEnvironment(options: CatalogOptions): Promise<Record<string, string>> {
  const { env, engines, mysqlUrl, ttlMs } = options;
  const address = async () => `127.0.0.1:${await freePort()}`;
  return {
    ...env,
    WEFT_GRPC_ADDR: await address(),
    WEFT_HEALTH_ADDR: await address(),
    WEFT_METRICS_ADDR: await address(),
    WEFT_CERT_DIR: join(env.BENCH_CERTIFICATES ?? "", "catalog"),
    WEFT_TRUST_DOMAIN: trustDomain,
    OTEL_EXPORTER_OTLP_ENDPOINT: env.BENCH_OTLP_URL ?? "",
    LOG_LEVEL: "warn",
    MYSQL_URL: mysqlUrl,
    NATS_URL: engines.natsUrl,
    REDIS_URL: engines.redisUrl,
    PRODUCT_CACHE_TTL_MS: ttlMs,
  };
}

async function fill(mysqlUrl: string, products: readonly ProductSeed[]): Promise<void> {
  await using telemetry = createTelemetry({ service: "bench", logLevel: "warn" });
  await using database = createDatabase({ url: mysqlUrl, telemetry, poolSize: 1 });
  await seedProducts(database, products);
}

/** The server's own counter of SELECT statements, whoever has sent them. */
async function openReadCounter(resources: AsyncDisposableStack, adminUrl: string): Promise<() => Promise<number>> {
  const connection = await createConnection(adminUrl);
  resources.defer(() => connection.end());
  return async () => {
    const [rows] = await connection.query("SHOW GLOBAL STATUS LIKE 'Com_select'");
    return Number((rows as { Value: string }[])[0]?.Value);
  };
}
