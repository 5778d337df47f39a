import { createMesh } from "@weft/mesh/client";
import { systemClock } from "@weft/mesh/contract";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve, servePublic } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { createClients, fetchJwks } from "./clients.ts";
import { type Config, loadConfig } from "./config.ts";
import { createJwksCache } from "./jwks.ts";
import { edgeRoutes } from "./rpc.ts";
import { createAuthenticate } from "./tokens.ts";

const SERVICE = "edge";

/** Starts the edge; disposing of what it returns drains and stops it. */
export async function start(config: Config): Promise<AsyncDisposable> {
  await using resources = new AsyncDisposableStack();
  const clock = systemClock;
  const telemetry = resources.use(createTelemetry({ service: SERVICE, ...config.mesh.telemetry }));
  const { logger } = telemetry;
  const credentials = resources.use(await loadCredentials({ ...config.mesh.credentials, logger }));
  const { endpoints, inProcess } = config.mesh;
  const mesh = resources.use(
    createMesh({ service: SERVICE, credentials, telemetry, endpoints, ...(inProcess && { inProcess }) }),
  );
  const clients = createClients(mesh);
  const keys = createJwksCache({ fetchJwks: () => fetchJwks(clients.users), clock, logger });

  // The mesh may ask the edge for nothing but health and the admin API.
  resources.use(
    await serve({ service: SERVICE, config: config.mesh, routes: () => undefined, credentials, telemetry, mesh }),
  );
  resources.use(
    await servePublic({
      service: SERVICE,
      address: config.publicAddress,
      addressSetting: "EDGE_ADDR",
      routes: edgeRoutes({ clients, logger }),
      telemetry,
      authenticate: createAuthenticate({ keys, issuer: config.tokenIssuer, clock }),
      corsOrigins: config.corsOrigins,
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain(SERVICE, loadConfig, start);
