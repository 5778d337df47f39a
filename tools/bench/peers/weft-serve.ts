import { join } from "node:path";
import type { MeshConfig } from "../../../mesh/server/config.ts";
import { type RunningServer, serve } from "../../../mesh/server/serve.ts";
import { trustDomain } from "../trust-domain.ts";
import { benchRoutes } from "./bench-routes.ts";
import { openService } from "./weft-settings.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

/** Serves the bench's methods as any service serves its own. */
export async function serveBench(settings: Partial<MeshConfig> = {}): Promise<RunningServer> {
  const { BENCH_CERTIFICATES = "", BENCH_OTLP_URL } = process.env;
  return await serve({
    service: "bench",
    config: {
      ...{ grpcAddress: anyPort, healthAddress: anyPort, metricsAddress: anyPort, endpoints: new Map() },
      credentials: { directory: join(BENCH_CERTIFICATES, "bench"), trustDomain },
      telemetry: { otlpUrl: BENCH_OTLP_URL, logLevel: "warn" },
      ...settings,
    },
    routes: benchRoutes,
    ...(await openService("bench")),
  });
}
