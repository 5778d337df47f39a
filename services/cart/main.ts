import { createRedis } from "@weft/mesh/cache";
import { createMesh } from "@weft/mesh/client";
import { systemClock } from "@weft/mesh/contract";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { createBroker, createDirectPublisher, startRepeatableConsumer } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createLogAudit, createTelemetry } from "@weft/mesh/telemetry";
import { file_shop_cart_v1_events } from "../../gen/shop/cart/v1/events_pb.ts";
import { createProducts } from "./clients.ts";
import { type Config, loadConfig } from "./config.ts";
import { cartHandlers, createUpdated } from "./events.ts";
import { cartRoutes } from "./rpc.ts";
import { createCartStore } from "./store.ts";

const service = "cart";

/** Starts the cart service; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const clock = systemClock;
  const telemetry = resources.use(createTelemetry({ service, ...config.mesh.telemetry }));
  const discovery = resources.use(openDiscovery(config.mesh.discovery, { service, telemetry }));
  const { logger } = telemetry;
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger }));
  const { inProcess, transport, faultsAllowed, instance, address } = config.mesh;
  const mesh = resources.use(
    createMesh({
      ...{ service, credentials, telemetry, discovery, inProcess, transport, faultsAllowed },
      ...{ zone: instance.zone, instance: address },
    }),
  );
  const redis = resources.use(createRedis({ url: config.redisUrl, telemetry }));
  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));
  const publisher = resources.use(createDirectPublisher({ broker, telemetry }));

  const carts = createCartStore(redis);
  const handlers = cartHandlers({ carts, clock });
  const consumer = resources.use(startRepeatableConsumer({ service, broker, telemetry, handlers }));
  const routes = cartRoutes({ carts, clock, products: createProducts(mesh), updated: createUpdated(publisher) });
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes,
      describes: [file_shop_cart_v1_events],
      credentials,
      telemetry,
      discovery,
      mesh,
      // Without a schema the log has to do.
      operations: { audit: createLogAudit(telemetry), deadLetters: consumer.deadLetters },
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
