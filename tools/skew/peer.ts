import { setTimeout as wait } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createMesh } from "../../mesh/client/mesh.ts";
import { createStaticDiscovery } from "../../mesh/discovery/static.ts";
import { BadRequestSchema } from "../../mesh/gen/google/rpc/error_details_pb.ts";
import { EchoService } from "../../mesh/gen/weft/echo/v1/echo_pb.ts";
import { loadCredentials } from "../../mesh/security/credentials.ts";
import { serve } from "../../mesh/server/serve.ts";
import { createTelemetry } from "../../mesh/telemetry/telemetry.ts";
import { echoRoutes } from "../../mesh/testing/echo.ts";

// One side of a pair of releases, a process of its own. How it is called and what it prints is what releases have in common, so it changes for none:
//   peer.ts serve <certificates of echo>              prints its port, serves until its standard input ends
//   peer.ts call <certificates of caller> <address>   prints what became of its calls, one JSON object
const trustDomain = "skew.local";
const anyPort = { host: "127.0.0.1", port: 0 };

async function serveEcho(directory: string): Promise<void> {
  const server = await serve({
    service: "echo",
    config: { grpcAddress: anyPort, healthAddress: anyPort, metricsAddress: anyPort },
    routes: echoRoutes(),
    credentials: await loadCredentials({ directory, trustDomain }),
    telemetry: createTelemetry({ service: "echo", write: () => undefined }),
  });
  console.log(server.port);
  process.stdin.on("end", () => process.exit(0)).resume();
}

async function callEcho(directory: string, address: string): Promise<void> {
  const outcomes: Record<string, unknown> = {};
  for (const transport of ["auto", "grpc"] as const) {
    using mesh = createMesh({
      service: "caller",
      credentials: await loadCredentials({ directory, trustDomain }),
      telemetry: createTelemetry({ service: "caller", write: () => undefined }),
      discovery: createStaticDiscovery(new Map([["echo", [{ address }]]])),
      transport,
    });
    outcomes[transport] = await callsOf(createClient(EchoService, mesh.transport("echo")));
  }
  console.log(JSON.stringify(outcomes));
  process.exit(0);
}

async function callsOf(echo: ReturnType<typeof createClient<typeof EchoService>>): Promise<Record<string, unknown>> {
  const large = "x".repeat(200_000);
  const texts: string[] = [];
  for await (const { text } of echo.repeat({ text: "r", count: 3 })) texts.push(text);
  const many = await Promise.allSettled(Array.from({ length: 500 }, (_, n) => echo.echo({ text: `${n}` })));
  return {
    said: (await echo.echo({ text: "hello" })).text,
    peer: (await echo.echoAgain({ text: "hello" })).peer,
    large: (await echo.echo({ text: large })).text === large,
    many: many.every((one, n) => one.status === "fulfilled" && one.value.text === `${n}`),
    streamed: texts,
    stranger: await codeOf(echo.echoForUser({})),
    invalid: await violationsOf(echo.echoAgain({ text: "x".repeat(2_000) })),
    late: await codeOf(echo.echo({ text: "", delay: { seconds: 5n } }, { timeoutMs: 50 })),
    cancelled: await cancelledCode(echo),
    after: (await echo.echo({ text: "still here" })).text,
  };
}

async function cancelledCode(echo: ReturnType<typeof createClient<typeof EchoService>>): Promise<string> {
  const abort = new AbortController();
  const code = codeOf(echo.echo({ text: "", delay: { seconds: 5n } }, { signal: abort.signal }));
  await wait(20);
  abort.abort();
  return await code;
}

async function codeOf(answer: Promise<unknown>): Promise<string> {
  return await answer.then(
    () => "OK",
    (error: unknown) => Code[ConnectError.from(error).code],
  );
}

async function violationsOf(answer: Promise<unknown>): Promise<string[]> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  );
  return error?.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field) ?? [];
}

const [role = "", directory = "", address = ""] = process.argv.slice(2);
await (role === "serve" ? serveEcho(directory) : callEcho(directory, address));
