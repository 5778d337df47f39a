import { type Env, readInteger, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  readonly mesh: MeshConfig;
  readonly mysqlUrl: string;
  readonly natsUrl: string;
  /** How long an order waits for its payment before it is cancelled. */
  readonly awaitingPaymentTtlMs: number;
}

/** The settings of the order service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    awaitingPaymentTtlMs: readInteger(env, "AWAITING_PAYMENT_TTL_MS", {
      min: 1_000,
      max: 7 * 24 * 3_600_000,
      fallback: 30 * 60_000,
    }),
  };
}
