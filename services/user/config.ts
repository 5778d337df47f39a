import { type Env, readInteger, readString, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  mesh: MeshConfig;
  mysqlUrl: string;
  natsUrl: string;
  redisUrl: string;
  /** How long a profile is cached; 0: not at all, every read goes to the database. */
  profileCacheTtlMs: number;
  /** PEM file with the EC P-256 private key that signs access tokens. */
  tokenKeyFile: string;
  /** The `iss` of access tokens. */
  tokenIssuer: string;
}

/** The settings of the user service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    redisUrl: readUrl(env, "REDIS_URL", ["redis:", "rediss:"]),
    profileCacheTtlMs: readInteger(env, "PROFILE_CACHE_TTL_MS", { min: 0, max: 3_600_000, fallback: 300_000 }),
    tokenKeyFile: readString(env, "TOKEN_KEY_FILE"),
    tokenIssuer: readString(env, "TOKEN_ISSUER"),
  };
}
