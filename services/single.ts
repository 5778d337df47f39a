import { type Env, SettingError } from "@weft/mesh/contract";
import { createInProcessNetwork, type InProcessNetwork, type MeshConfig, runMain } from "@weft/mesh/server";
import { loadConfig as loadAnalyticsConfig } from "./analytics/config.ts";
import * as analytics from "./analytics/main.ts";
import { loadConfig as loadCartConfig } from "./cart/config.ts";
import * as cart from "./cart/main.ts";
import { loadConfig as loadCatalogConfig } from "./catalog/config.ts";
import * as catalog from "./catalog/main.ts";
import { loadConfig as loadEdgeConfig } from "./edge/config.ts";
import * as edge from "./edge/main.ts";
import { loadConfig as loadInventoryConfig } from "./inventory/config.ts";
import * as inventory from "./inventory/main.ts";
import { loadConfig as loadNotificationConfig } from "./notification/config.ts";
import * as notification from "./notification/main.ts";
import { loadConfig as loadOrderConfig } from "./order/config.ts";
import * as order from "./order/main.ts";
import { loadConfig as loadPaymentConfig } from "./payment/config.ts";
import * as payment from "./payment/main.ts";
import { loadConfig as loadRecommendationConfig } from "./recommendation/config.ts";
import * as recommendation from "./recommendation/main.ts";
import { loadConfig as loadUserConfig } from "./user/config.ts";
import * as user from "./user/main.ts";

/** One service of the process: what it is called and how it starts with its part of the environment. */
export interface Member {
  readonly name: string;
  /** Reads the service's settings. @throws SettingError */
  load(env: Env): (network: InProcessNetwork) => Promise<AsyncDisposable>;
}

/** Every service of the shop, those that others ask first. */
export const members: readonly Member[] = [
  member("user", loadUserConfig, user.start),
  member("catalog", loadCatalogConfig, catalog.start),
  member("inventory", loadInventoryConfig, inventory.start),
  member("payment", loadPaymentConfig, payment.start),
  member("order", loadOrderConfig, order.start),
  member("notification", loadNotificationConfig, notification.start),
  member("cart", loadCartConfig, cart.start),
  member("analytics", loadAnalyticsConfig, analytics.start),
  member("recommendation", loadRecommendationConfig, recommendation.start),
  member("edge", loadEdgeConfig, edge.start),
];

function member<Config extends { mesh: MeshConfig }>(
  name: string,
  loadConfig: (env: Env) => Config,
  start: (config: Config) => Promise<AsyncDisposable>,
): Member {
  return {
    name,
    load(env) {
      const config = loadConfig(env);
      return (inProcess) => start({ ...config, mesh: { ...config.mesh, inProcess } });
    },
  };
}

/** What is left to do for a service once its settings are known to be right. */
export interface Startable {
  readonly name: string;
  start(network: InProcessNetwork): Promise<AsyncDisposable>;
}

/**
 * Reads the settings of all services before any of them starts.
 *
 * @throws SettingError that names the service and the setting
 */
export function loadMembers(env: Env, services: readonly Member[] = members): Startable[] {
  return services.map(({ name, load }) => {
    try {
      return { name, start: load(environmentOf(name, env)) };
    } catch (error) {
      throw naming(name, error);
    }
  });
}

/** What all share, and over it what is the service's own: ORDER__MYSQL_URL is order's MYSQL_URL and nobody else's. */
export function environmentOf(service: string, env: Env): Env {
  const prefix = `${service.toUpperCase()}__`;
  const entries = Object.entries(env);
  const shared = entries.filter(([name]) => !name.includes("__"));
  const own = entries.filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries([...shared, ...own.map(([name, value]) => [name.slice(prefix.length), value])]);
}

/**
 * Starts services one after the other in one process, where they call each other without a socket.
 *
 * @returns disposing of it stops them in the reverse order
 * @throws Error that names the service that did not start; those before it are stopped
 */
export async function startMembers(services: readonly Startable[]): Promise<AsyncDisposable> {
  const network = createInProcessNetwork();
  await using resources = new AsyncDisposableStack();
  for (const { name, start } of services) {
    try {
      resources.use(await start(network));
    } catch (error) {
      throw naming(name, error);
    }
  }
  return resources.move();
}

function naming(service: string, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof SettingError) return new SettingError(`${service}: ${message}`, { cause });
  return new Error(`${service} did not start: ${message}`, { cause });
}

if (import.meta.main) await runMain("single", loadMembers, startMembers);
