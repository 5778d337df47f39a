import { type Env, readInteger, readUrl } from "@weft/mesh/contract";
import { loadMeshConfig, type MeshConfig } from "@weft/mesh/server";

export interface Config {
  readonly mesh: MeshConfig;
  readonly mysqlUrl: string;
  readonly natsUrl: string;
  /** The longest that an order stays in a state that the saga is to move it on from. */
  readonly stays: {
    readonly placedTtlMs: number;
    readonly reservedTtlMs: number;
    readonly awaitingPaymentTtlMs: number;
  };
  /** How much longer than that an order may be in its state before operators see it as stuck; CONFIRMED, which has no such time: in all. */
  readonly stuckAfterMs: number;
}

const dayMs = 24 * 3_600_000;

/** The settings of the order service. A missing or bad one throws a SettingError that names it. */
export function loadConfig(env: Env): Config {
  return {
    mesh: loadMeshConfig(env),
    mysqlUrl: readUrl(env, "MYSQL_URL", ["mysql:"]),
    natsUrl: readUrl(env, "NATS_URL", ["nats:"]),
    stays: {
      placedTtlMs: readInteger(env, "PLACED_TTL_MS", { min: 1_000, max: dayMs, fallback: 10 * 60_000 }),
      reservedTtlMs: readInteger(env, "RESERVED_TTL_MS", { min: 1_000, max: dayMs, fallback: 2 * 60_000 }),
      awaitingPaymentTtlMs: readInteger(env, "AWAITING_PAYMENT_TTL_MS", {
        min: 1_000,
        max: 7 * dayMs,
        fallback: 30 * 60_000,
      }),
    },
    stuckAfterMs: readInteger(env, "STUCK_AFTER_MS", { min: 1_000, max: dayMs, fallback: 5 * 60_000 }),
  };
}
