import { type Env, readString, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  readonly mesh: MeshConfig;
  readonly mysqlUrl: string;
  readonly natsUrl: string;
  /** Base URL of the payment provider, and our key there. */
  readonly providerUrl: string;
  readonly providerKey: string;
}

/** The settings of the payment service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    providerUrl: readUrl(env, "PAYMENT_PROVIDER_URL", ["http:", "https:"]),
    providerKey: readString(env, "PAYMENT_PROVIDER_KEY"),
  };
}
