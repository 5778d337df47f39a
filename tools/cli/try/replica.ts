import { setTimeout as wait } from "node:timers/promises";
import { type Env, readAddress, readInteger, readString } from "@weft/mesh/contract";
import { EchoService } from "@weft/mesh/gen/weft/echo/v1/echo_pb.js";
import { loadCredentials } from "@weft/mesh/security";
import { runMain, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";

/** One replica of the echo service that `weft try` plays with: a process of its own. SIGUSR2 slows it, and again undoes that. */

const anyPort = { host: "127.0.0.1", port: 0 };

function loadConfig(env: Env) {
  return {
    name: readString(env, "TRY_NAME"),
    address: readAddress(env, "TRY_ADDRESS"),
    directory: readString(env, "TRY_CERTIFICATES"),
    trustDomain: readString(env, "TRY_TRUST_DOMAIN"),
    slowMs: readInteger(env, "TRY_SLOW_MS", { min: 0, max: 60_000 }),
  };
}

async function start({ name, address, directory, trustDomain, slowMs }: ReturnType<typeof loadConfig>) {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service: "echo", sampleRatio: 0.01 }));
  const credentials = resources.use(await loadCredentials({ directory, trustDomain }));
  let delayMs = 0;
  process.on("SIGUSR2", () => {
    delayMs = delayMs === 0 ? slowMs : 0;
  });
  // It says who it is: whoever calls can count.
  const answer = async () => {
    if (delayMs > 0) await wait(delayMs);
    return { text: name };
  };
  resources.use(
    await serve({
      service: "echo",
      config: { grpcAddress: address, healthAddress: anyPort, metricsAddress: anyPort },
      routes: (router) => router.service(EchoService, { echo: answer, echoAgain: answer }),
      credentials,
      telemetry,
    }),
  );
  return resources.move();
}

if (import.meta.main) await runMain("echo", loadConfig, start);
