import { type Env, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  readonly mesh: MeshConfig;
  readonly redisUrl: string;
  readonly natsUrl: string;
}

/** The settings of the cart service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    redisUrl: readUrl(env, "REDIS_URL", ["redis:", "rediss:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
  };
}
