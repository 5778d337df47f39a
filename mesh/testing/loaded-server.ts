import { setTimeout as wait } from "node:timers/promises";
import { loadCredentials } from "../security/credentials.ts";
import { serve } from "../server/serve.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { echoRoutes } from "./echo.ts";

type Handler = (request: { readonly text: string }) => { text: string } | Promise<{ text: string }>;

/** A service of its own process that has too much to do at 80 to 100 calls a second. Ends with its standard input. */
async function main(directory: string, trustDomain: string, kind: string): Promise<void> {
  const anyPort = { host: "127.0.0.1", port: 0 };
  const write = (line: string): void => void process.stderr.write(`${line}\n`);
  const telemetry = createTelemetry({ service: "echo", logLevel: "error", write });
  const server = await serve({
    service: "echo",
    config: {
      grpcAddress: anyPort,
      healthAddress: anyPort,
      metricsAddress: anyPort,
    },
    routes: echoRoutes({ echo: kind === "computing" ? compute : createPool() }),
    credentials: await loadCredentials({ directory, trustDomain }),
    telemetry,
  });
  process.stdout.write(`${server.port}\n`);
  process.stdin.resume().on("end", () => process.exit(0));
}

/** Four at a time, 50 ms each; the others wait without a bound, as for a connection of a pool. */
function createPool(): Handler {
  let free = 4;
  const waiting: (() => void)[] = [];
  return async ({ text }) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    await wait(50);
    const next = waiting.shift();
    if (next) next();
    else free += 1;
    return { text };
  };
}

/** Nothing else happens in the process for 10 ms. */
const compute: Handler = ({ text }) => {
  const endMs = performance.now() + 10;
  while (performance.now() < endMs);
  return { text };
};

const [directory = "", trustDomain = "", kind = ""] = process.argv.slice(2);
await main(directory, trustDomain, kind);
