import { Code, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { runAs } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import { createStaticDiscovery } from "../discovery/static.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { withFallback } from "../resilience/fallback.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";
import { createMesh } from "./mesh.ts";

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** A client of an echo whose methods fail with a code. */
async function failing(code: Code) {
  await world.serve(
    "echo",
    echoRoutes({
      echoAgain: () => {
        throw rpcError(code, "no");
      },
      echo: () => {
        throw rpcError(code, "no");
      },
    }),
  );
  const mesh = await world.mesh("caller");
  return createClient(EchoService, mesh.transport("echo"));
}

const silence = () => ({ text: "" });

test.each([Code.Unavailable, Code.DeadlineExceeded, Code.ResourceExhausted, Code.Internal])(
  "withFallback() does without the answer of a service that is ill (code %i)",
  async (code) => {
    const client = await failing(code);
    const reasons: Code[] = [];
    const answer = await withFallback(
      "silence",
      async () => ({ text: (await client.echoAgain({})).text }),
      (error) => {
        reasons.push(error.code);
        return silence();
      },
    );
    expect([answer.text, reasons]).toEqual(["", [code]]);
  },
);

test("withFallback() does without it while the breaker is open", async () => {
  const client = await failing(Code.Internal);
  for (let i = 0; i < 6; i++) await client.echoAgain({}).catch(() => undefined);
  await expect(client.echoAgain({})).rejects.toThrow(/held back/);
  expect(
    await withFallback(
      "silence",
      () => client.echoAgain({}).then(({ text }) => text),
      () => "quiet",
    ),
  ).toBe("quiet");
});

test.each([Code.NotFound, Code.InvalidArgument, Code.PermissionDenied, Code.Aborted])(
  "withFallback() hides no fault of the caller or the domain (code %i)",
  async (code) => {
    const client = await failing(code);
    const call = withFallback<{ text: string }>("silence", () => client.echoAgain({}), silence);
    await expect(call).rejects.toMatchObject({ code });
  },
);

test("withFallback() refuses a method whose contract declares none", async () => {
  const client = await failing(Code.Unavailable);
  await expect(withFallback<{ text: string }>("silence", () => client.echo({}), silence)).rejects.toThrow(
    /weft\.echo\.v1\.EchoService\/Echo is called with fallback "silence", its contract declares none/,
  );
});

test("withFallback() does nothing in place of a call that nobody waits for any more", async () => {
  const caller = new AbortController();
  const call = runAs({ signal: caller.signal }, () =>
    withFallback<{ text: string }>(
      "silence",
      async () => {
        caller.abort();
        throw rpcError(Code.Unavailable, "away");
      },
      silence,
    ),
  );
  await expect(call).rejects.toMatchObject({ code: Code.Unavailable });
});

test("withFallback() is counted by name", async () => {
  const { address } = await world.serve(
    "echo",
    echoRoutes({
      echoAgain: () => {
        throw rpcError(Code.NotFound, "nothing to say");
      },
    }),
  );
  const telemetry = world.telemetry("caller");
  const discovery = createStaticDiscovery(
    new Map([
      ["echo", [{ address }]],
      ["away", [{ address: `127.0.0.1:${await freePort()}` }]],
    ]),
  );
  using mesh = createMesh({ service: "caller", credentials: await world.credentials("caller"), discovery, telemetry });
  for (const service of ["away", "echo"]) {
    const client = createClient(EchoService, mesh.transport(service));
    await withFallback<{ text: string }>(service, () => client.echoAgain({}), silence).catch(() => undefined);
  }
  const port = await freePort();
  await using _metrics = await telemetry.serveMetrics({ host: "127.0.0.1", port });
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(text).toMatch(/^weft_client_fallbacks_total\{name="away"\} 1$/m);
  expect(text).not.toMatch(/weft_client_fallbacks_total\{name="echo"\}/);
});
