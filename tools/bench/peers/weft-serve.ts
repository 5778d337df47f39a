import { Code } from "@connectrpc/connect";
import { rpcError } from "../../../mesh/contract/errors.ts";
import type { ServerConfig } from "../../../mesh/server/config.ts";
import type { Authorize } from "../../../mesh/server/pipeline.ts";
import { type RunningServer, serve } from "../../../mesh/server/serve.ts";
import { trustDomain } from "../trust-domain.ts";
import { benchRoutes } from "./bench-routes.ts";
import { openService } from "./weft-settings.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

/** Serves the bench's methods as any service serves its own. */
export async function serveBench(settings: Partial<ServerConfig> = {}): Promise<RunningServer> {
  return await serve({
    service: "bench",
    config: { grpcAddress: anyPort, healthAddress: anyPort, metricsAddress: anyPort, ...settings },
    routes: benchRoutes,
    authorize: callerOnly,
    ...(await openService("bench")),
  });
}

const caller = `spiffe://${trustDomain}/caller`;

/** Who may call is said in code here, as a service may do beside its contract. */
const callerOnly: Authorize = ({ peer, method }) => {
  if (peer === caller || !method.startsWith("weft.bench.")) return;
  throw rpcError(Code.PermissionDenied, `${peer} may not call ${method}`);
};
