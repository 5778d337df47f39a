import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@connectrpc/connect";
import { createDatabase, type Database, type SqlValue } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { OrderService } from "../../../../gen/shop/order/v1/order_pb.ts";
import { loadConfig as loadCatalogConfig } from "../../../../services/catalog/config.ts";
import { start as startCatalog } from "../../../../services/catalog/main.ts";
import { seedProducts } from "../../../../services/catalog/store.ts";
import { loadConfig as loadInventoryConfig } from "../../../../services/inventory/config.ts";
import { start as startInventory } from "../../../../services/inventory/main.ts";
import { seedStock } from "../../../../services/inventory/store.ts";
import { loadConfig as loadOrderConfig } from "../../../../services/order/config.ts";
import { start as startOrder } from "../../../../services/order/main.ts";
import { loadConfig as loadPaymentConfig } from "../../../../services/payment/config.ts";
import { start as startPayment } from "../../../../services/payment/main.ts";
import type { LedgerEntry } from "../../outside/ledger.ts";
import type { ProviderFault } from "../../outside/provider.ts";
import { startPaymentProvider } from "../../payment-provider.ts";
import { createTestMesh, type TestMesh } from "../../testing/mesh.ts";
import type { Books } from "../books.ts";

const services = ["catalog", "inventory", "payment", "order"] as const;
export type CheckoutService = (typeof services)[number];

/** The shortest time that a setting allows: tests wait for it. */
const awaitingPaymentTtlMs = 1_000;

/** A product to sell, and how much of it there is. */
export interface Product {
  readonly sku: string;
  readonly currencyCode: string;
  readonly minorUnits: bigint;
  readonly onHand: number;
}

/** Catalog, inventory, payment and order, the real ones, over real sockets, with the sandbox provider. */
export interface Checkout extends Books, AsyncDisposable {
  readonly mesh: TestMesh;
  readonly orders: Client<typeof OrderService>;
  /** Whether a service is one of these. */
  has(service: string): boolean;
  database(service: CheckoutService): Database;
  sell(products: readonly Product[]): Promise<void>;
  fault(fault: ProviderFault): Promise<void>;
  clearFaults(): Promise<void>;
  /** Whether the provider has heard of an order's authorization. */
  hasHeardOf(orderId: string): Promise<boolean>;
}

/** Starts what an order passes through between its placing and its delivery. */
export async function startCheckout(): Promise<Checkout> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-checkout-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const key = "sk_test";
  const ledgerFile = join(directory, "ledger.jsonl");
  const { url } = resources.use(await startPaymentProvider({ port: 0, key, ledgerFile }));
  const mesh = resources.use(await createTestMesh(services));
  resources.use(await startCatalog(loadCatalogConfig(mesh.env("catalog"))));
  resources.use(await startInventory(loadInventoryConfig(mesh.env("inventory"))));
  const paymentEnv = { ...mesh.env("payment"), PAYMENT_PROVIDER_URL: url, PAYMENT_PROVIDER_KEY: key };
  resources.use(await startPayment(loadPaymentConfig(paymentEnv)));
  const orderEnv = { ...mesh.env("order"), AWAITING_PAYMENT_TTL_MS: String(awaitingPaymentTtlMs) };
  resources.use(await startOrder(loadOrderConfig(orderEnv)));

  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  const opened = new Map(
    services.map((service) => [
      service,
      resources.use(createDatabase({ url: mesh.database(service).url, telemetry, poolSize: 4 })),
    ]),
  );
  const database = (service: string): Database => {
    const found = opened.get(service as CheckoutService);
    if (found === undefined) throw new Error(`there is no service ${service}`);
    return found;
  };
  const provider = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const response = await fetch(url + path, { method, headers, ...(body !== undefined && json(body)) });
    if (!response.ok) throw new Error(await response.text());
    return await response.json();
  };

  const orders = await mesh.client(OrderService, "order", "edge");
  const running = resources.move();
  return {
    mesh,
    orders,
    has: (service) => opened.has(service as CheckoutService),
    database,
    rows: (service, sql, params: readonly SqlValue[] = []) => database(service).query("test.rows", sql, params),
    ledger: async () => ((await provider("GET", "/v1/ledger")) as { entries: LedgerEntry[] }).entries,
    async sell(products) {
      const assortment = products.map(({ onHand: _, ...product }) => ({
        ...{ ...product, name: product.sku, description: "", category: "things" },
      }));
      await seedProducts(database("catalog"), assortment);
      await seedStock(database("inventory"), [...products]);
    },
    fault: async (fault) => void (await provider("POST", "/v1/faults", fault)),
    clearFaults: async () => void (await provider("DELETE", "/v1/faults")),
    async hasHeardOf(orderId) {
      const { data } = (await provider("GET", `/v1/authorizations?idempotency_key=authorize:${orderId}`)) as {
        data: unknown[];
      };
      return data.length > 0;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function json(body: unknown): RequestInit {
  return { body: JSON.stringify(body) };
}
