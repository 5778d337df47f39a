import type { ServerConfig } from "../../../mesh/server/config.ts";
import { type RunningServer, serve } from "../../../mesh/server/serve.ts";
import { benchRoutes } from "./bench-routes.ts";
import { openService } from "./weft-settings.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

/** Serves the bench's methods as any service serves its own. */
export async function serveBench(settings: Partial<ServerConfig> = {}): Promise<RunningServer> {
  return await serve({
    service: "bench",
    config: { grpcAddress: anyPort, healthAddress: anyPort, metricsAddress: anyPort, ...settings },
    routes: benchRoutes,
    ...(await openService("bench")),
  });
}
