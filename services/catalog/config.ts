import { type Env, readInteger, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  mesh: MeshConfig;
  mysqlUrl: string;
  natsUrl: string;
  redisUrl: string;
  /** How long a product is cached; 0: not at all, every read goes to the database. */
  productCacheTtlMs: number;
}

/** The settings of the catalog service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    redisUrl: readUrl(env, "REDIS_URL", ["redis:", "rediss:"]),
    productCacheTtlMs: readInteger(env, "PRODUCT_CACHE_TTL_MS", { min: 0, max: 3_600_000, fallback: 300_000 }),
  };
}
