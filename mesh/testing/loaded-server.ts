import { setTimeout as wait } from "node:timers/promises";
import { loadCredentials } from "../security/credentials.ts";
import { serve } from "../server/serve.ts";
import { createTelemetry } from "../telemetry/telemetry.ts";
import { echoRoutes } from "./echo.ts";

/** Calls that the server's one resource serves at a time, and how long each takes: 80 a second. The others wait for it without a bound. */
const places = 4;
const workMs = 50;

/** A service of its own process that has too much to do at more than 80 calls a second. Ends with its standard input. */
async function main(directory: string, trustDomain: string): Promise<void> {
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
    routes: echoRoutes({ echo: createPool() }),
    credentials: await loadCredentials({ directory, trustDomain }),
    telemetry,
  });
  process.stdout.write(`${server.port}\n`);
  process.stdin.resume().on("end", () => process.exit(0));
}

function createPool(): (request: { readonly text: string }) => Promise<{ text: string }> {
  let free = places;
  const waiting: (() => void)[] = [];
  return async ({ text }) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    await wait(workMs);
    const next = waiting.shift();
    if (next) next();
    else free += 1;
    return { text };
  };
}

const [directory = "", trustDomain = ""] = process.argv.slice(2);
await main(directory, trustDomain);
