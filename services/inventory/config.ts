import { type Env, readInteger, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  mesh: MeshConfig;
  mysqlUrl: string;
  natsUrl: string;
  /** How long stock is held for an order that nobody has told of. Longer than any order waits for its payment. */
  reservationTtlMs: number;
  /** How often such reservations are looked for. */
  sweepIntervalMs: number;
  /** So much of a product, or less, is little. */
  lowStockThreshold: number;
}

/** The settings of the inventory service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    reservationTtlMs: readInteger(env, "RESERVATION_TTL_MS", {
      min: 1_000,
      max: 30 * 24 * 3_600_000,
      fallback: 45 * 60_000,
    }),
    sweepIntervalMs: readInteger(env, "RESERVATION_SWEEP_INTERVAL_MS", { min: 100, max: 3_600_000, fallback: 60_000 }),
    lowStockThreshold: readInteger(env, "STOCK_LOW_THRESHOLD", { min: 0, max: 1_000_000, fallback: 5 }),
  };
}
