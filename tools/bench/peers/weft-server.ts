import { join } from "node:path";
import { serve } from "../../../mesh/server/serve.ts";
import { echoRoutes } from "../../../mesh/testing/echo.ts";
import { trustDomain } from "../trust-domain.ts";
import { answerAsServer } from "./answer.ts";
import { openService } from "./weft-settings.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

answerAsServer(async () => {
  const { credentials, telemetry } = await openService("echo");
  const { port } = await serve({
    service: "echo",
    config: {
      grpcAddress: anyPort,
      healthAddress: anyPort,
      metricsAddress: anyPort,
      credentials: { directory: join(process.env.BENCH_CERTIFICATES ?? "", "echo"), trustDomain },
      endpoints: new Map(),
      telemetry: { otlpUrl: process.env.BENCH_OTLP_URL, logLevel: "warn" },
    },
    routes: echoRoutes(),
    credentials,
    telemetry,
  });
  return port;
});
