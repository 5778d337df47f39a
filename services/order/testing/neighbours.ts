import { Code } from "@connectrpc/connect";
import { currentSignal } from "@weft/mesh/context";
import { rpcError } from "@weft/mesh/contract";
import { loadCredentials } from "@weft/mesh/security";
import { loadMeshConfig, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { CatalogService } from "../../../gen/shop/catalog/v1/catalog_pb.ts";
import { InventoryService } from "../../../gen/shop/inventory/v1/inventory_pb.ts";
import { PaymentService, PaymentState } from "../../../gen/shop/payment/v1/payment_pb.ts";
import { createTestMesh, type TestMesh } from "../../../tools/dev/testing/mesh.ts";

/** What the services that order asks do, as a test wants it, over real sockets. */
export interface Neighbours extends AsyncDisposable {
  readonly mesh: TestMesh;
  /** Minor units by SKU; EUR. */
  readonly prices: Map<string, bigint>;
  /** SKUs of which there is nothing. */
  readonly soldOut: Set<string>;
  /** "reserve ord_...", in the order in which it was asked. */
  readonly asked: string[];
  /** What happens in a method before it answers; an error thrown is its answer. */
  readonly before: { catalog: () => Promise<void>; reserve: () => Promise<void>; authorize: () => Promise<void> };
  /** What authorize answers. */
  authorization: PaymentState;
  /** What payment knows of an order when it is asked later. */
  readonly payments: Map<string, PaymentState>;
  /** Everything as at the start. */
  reset(): void;
}

const nothing = async () => {};

/** Never answers: until the caller is gone. */
export function hang(): Promise<never> {
  const signal = currentSignal();
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

/** Serves catalog, inventory and payment for an order service under test. */
export async function startNeighbours(): Promise<Neighbours> {
  await using resources = new AsyncDisposableStack();
  const mesh = resources.use(await createTestMesh(["catalog", "inventory", "payment", "order"]));
  const neighbours = {
    mesh,
    prices: new Map<string, bigint>(),
    soldOut: new Set<string>(),
    asked: [] as string[],
    before: { catalog: nothing, reserve: nothing, authorize: nothing },
    authorization: PaymentState.AUTHORIZED as PaymentState,
    payments: new Map<string, PaymentState>(),
    reset() {
      neighbours.prices.clear();
      neighbours.soldOut.clear();
      neighbours.asked.length = 0;
      Object.assign(neighbours.before, { catalog: nothing, reserve: nothing, authorize: nothing });
      neighbours.authorization = PaymentState.AUTHORIZED;
      neighbours.payments.clear();
      neighbours.prices.set("apple", 250n).set("pear", 100n);
    },
  };
  neighbours.reset();
  const start = async (service: string, routes: Parameters<typeof serve>[0]["routes"]) => {
    const config = loadMeshConfig(mesh.env(service));
    const telemetry = resources.use(createTelemetry({ service, logLevel: "error", write: () => {} }));
    const credentials = resources.use(await loadCredentials(config.credentials));
    resources.use(await serve({ service, config, routes, credentials, telemetry }));
  };

  await start("catalog", (router) =>
    router.service(CatalogService, {
      async batchGetProducts({ skus, fresh }) {
        await neighbours.before.catalog();
        const known = skus.filter((sku) => neighbours.prices.has(sku));
        return {
          products: known.map((sku) => ({
            sku,
            name: `name of ${sku}`,
            // Who does not ask for what is stored now may get another price: here he always does.
            price: { currencyCode: "EUR", minorUnits: (fresh && neighbours.prices.get(sku)) || 999_999n },
          })),
          missingSkus: skus.filter((sku) => !neighbours.prices.has(sku)),
        };
      },
    }),
  );
  await start("inventory", (router) =>
    router.service(InventoryService, {
      async reserveStock({ orderId, lines }) {
        neighbours.asked.push(`reserve ${orderId}`);
        await neighbours.before.reserve();
        const short = lines.filter(({ sku }) => neighbours.soldOut.has(sku));
        if (short.length === 0) return {};
        const metadata = Object.fromEntries(short.map(({ sku, quantity }) => [sku, `wanted ${quantity}, available 0`]));
        throw rpcError(Code.FailedPrecondition, "not enough stock", { reason: "OUT_OF_STOCK", metadata });
      },
      async releaseStock({ orderId }) {
        neighbours.asked.push(`release ${orderId}`);
        return {};
      },
    }),
  );
  await start("payment", (router) =>
    router.service(PaymentService, {
      async authorizePayment({ orderId, amount }) {
        neighbours.asked.push(`authorize ${orderId} ${amount?.minorUnits}`);
        await neighbours.before.authorize();
        return { payment: { orderId, state: neighbours.authorization, reason: "insufficient funds" } };
      },
      async getPayment({ orderId }) {
        const state = neighbours.payments.get(orderId);
        if (state === undefined) throw rpcError(Code.NotFound, "no payment");
        return { payment: { orderId, state } };
      },
    }),
  );
  const running = resources.move();
  return Object.assign(neighbours, { [Symbol.asyncDispose]: () => running.disposeAsync() });
}
