import { createMesh } from "@weft/mesh/client";
import { systemClock } from "@weft/mesh/contract";
import { openDiscovery } from "@weft/mesh/discovery-nats";
import { createBroker, createDirectPublisher, startBroadcast } from "@weft/mesh/events";
import { loadCredentials } from "@weft/mesh/security";
import { type Pages, runMain, serve, servePublic } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { file_shop_api_v1_events } from "../../gen/shop/api/v1/events_pb.ts";
import { createBatchReader } from "./batch-reader.ts";
import { createClients, createPageParts, fetchJwks, readAvailable, readProducts } from "./clients.ts";
import { type Config, loadConfig } from "./config.ts";
import { createProductViewed, liveHandlers } from "./events.ts";
import { createJwksCache } from "./jwks.ts";
import { createLiveFeed } from "./live-feed.ts";
import { createPicturePages } from "./picture-pages.ts";
import { edgeRoutes } from "./rpc.ts";
import { loadStaticFiles } from "./static-files.ts";
import { createAuthenticate } from "./tokens.ts";

const service = "edge";
const storefrontDirectory = new URL("./storefront/dist/", import.meta.url);

/** Starts the edge; disposing of what it returns drains and stops it. */
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
  const clients = createClients(mesh);
  const keys = createJwksCache({ fetchJwks: () => fetchJwks(clients.users), clock, logger });

  const broker = resources.use(createBroker({ url: config.natsUrl, service, telemetry }));
  const publisher = resources.use(createDirectPublisher({ broker, telemetry }));
  const live = resources.use(
    createLiveFeed({
      readProducts: (skus) => readProducts(clients.catalog, skus),
      readAvailable: (skus) => readAvailable(clients.inventory, skus),
      logger,
    }),
  );
  resources.use(startBroadcast({ broker, telemetry, handlers: liveHandlers(live), onGap: live.refreshAll }));

  const storefront = await loadStaticFiles(storefrontDirectory);
  if (storefront === undefined) logger.warn("the storefront is not built: nothing is served at /");
  const findProduct = createBatchReader({ read: (skus) => readProducts(clients.catalog, skus) });
  const pictures = createPicturePages({ findProduct });
  const pages: Pages = async (request) => (await pictures(request)) ?? storefront?.(request);

  // The mesh may ask the edge for nothing but health and the admin API.
  resources.use(
    await serve({
      service,
      config: config.mesh,
      routes: () => undefined,
      describes: [file_shop_api_v1_events],
      credentials,
      telemetry,
      discovery,
      mesh,
    }),
  );
  const pageParts = createPageParts(clients, config.recommendedSkus);
  resources.use(
    await servePublic({
      address: config.publicAddress,
      addressSetting: "EDGE_ADDR",
      routes: edgeRoutes({ clients, pageParts, live, productViewed: createProductViewed(publisher) }),
      telemetry,
      authenticate: createAuthenticate({ keys, issuer: config.tokenIssuer, clock }),
      corsOrigins: config.corsOrigins,
      isTrustedProxy: config.isTrustedProxy,
      pages,
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(service, loadConfig, start);
