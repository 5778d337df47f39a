import { type Env, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  mesh: MeshConfig;
  mysqlUrl: string;
  natsUrl: string;
}

/** The settings of the inventory service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
  };
}
