import { join } from "node:path";
import { serve } from "../../../mesh/server/serve.ts";
import { trustDomain } from "../trust-domain.ts";
import { answerAsServer } from "./answer.ts";
import { benchRoutes } from "./bench-routes.ts";
import { openService } from "./weft-settings.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

answerAsServer(async () => {
  const { credentials, telemetry } = await openService("bench");
  const { port } = await serve({
    service: "bench",
    config: {
      grpcAddress: anyPort,
      healthAddress: anyPort,
      metricsAddress: anyPort,
      credentials: { directory: join(process.env.BENCH_CERTIFICATES ?? "", "bench"), trustDomain },
      endpoints: new Map(),
      telemetry: { otlpUrl: process.env.BENCH_OTLP_URL, logLevel: "warn" },
    },
    routes: benchRoutes,
    credentials,
    telemetry,
  });
  return port;
});
