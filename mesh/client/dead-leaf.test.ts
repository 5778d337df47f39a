import { Code, createClient } from "@connectrpc/connect";
import type { ServiceError } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { rpcError } from "../contract/errors.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { startBareHop } from "../testing/bare-hop.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld } from "../testing/world.ts";

const calls = 1_000;
const inFlight = 20;
const echoAgain = "weft.echo.v1.EchoService/EchoAgain";

type OnError = ((error: ServiceError) => Partial<ServiceError>) | undefined;

/**
 * Calls through four hops, each of which may repeat a call twice: entry -> first -> bare -> last -> leaf. How many of the calls failed, and how
 * many reached the leaf.
 */
async function run(answer: () => { text: string }, onError?: OnError): Promise<{ failed: number; atLeaf: number }> {
  await using world = await createWorld();
  let atLeaf = 0;
  let well = true;
  const leaf = await world.serve(
    "leaf",
    echoRoutes({
      echoAgain: () => {
        atLeaf += 1;
        return well ? { text: "well" } : answer();
      },
    }),
  );
  const passOn = async (service: string, next: string, address: string) => {
    const client = createClient(EchoService, (await world.mesh(service, { [next]: [address] })).transport(next));
    return await world.serve(service, echoRoutes({ echoAgain: ({ text }) => client.echoAgain({ text }) }));
  };
  const last = await passOn("last", "leaf", leaf.address);
  using bare = await startBareHop({
    credentials: await world.credentials("bare"),
    next: { service: "last", address: last.address },
    methods: [echoAgain],
    ...(onError && { onError }),
  });
  const first = await passOn("first", "bare", bare.address);
  const mesh = await world.mesh("entry", { first: [first.address] });
  const entry = createClient(EchoService, mesh.transport("first"));
  expect((await entry.echoAgain({})).text).toBe("well");
  [well, atLeaf] = [false, 0];

  let [begun, failed] = [0, 0];
  const caller = async (): Promise<void> => {
    while (begun++ < calls) await entry.echoAgain({ text: "x" }).catch(() => (failed += 1));
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { failed, atLeaf };
}

/** Nobody's breaker opens on it, so that nothing but the budgets holds the repetitions back. */
const loaded = () => {
  throw rpcError(Code.ResourceExhausted, "loaded", { retryDelayMs: 1 });
};
/** Two calls of five fail: too few for a breaker. */
const failingOften = () => {
  let call = 0;
  return () => (call++ % 5 < 2 ? dead() : { text: "well" });
};
const dead = () => {
  throw rpcError(Code.Unavailable, "dead");
};

test("a dead leaf gets at most 1.2 times the calls of the entry, four hops above", async () => {
  const { failed, atLeaf } = await run(dead);
  expect(failed).toBe(calls);
  expect(atLeaf / calls).toBeLessThanOrEqual(1.2);
});

test("so does one whose breakers stay closed: only the hop next to it repeats, within its budget", async () => {
  const { failed, atLeaf } = await run(loaded);
  expect(failed).toBe(calls);
  // What the breakers let through and no less; and it is repeated at all.
  expect(atLeaf / calls).toBeGreaterThan(1.05);
  expect(atLeaf / calls).toBeLessThanOrEqual(1.2);
});

test("a hop that tells its caller nothing of what it was told adds repetitions, and multiplies none", async () => {
  const { atLeaf } = await run(loaded, ({ code, details }) => ({ code, details }));
  expect(atLeaf / calls).toBeLessThanOrEqual(1.2);
  const failing = await run(failingOften(), ({ code, details }) => ({ code, details }));
  expect(failing.atLeaf / calls).toBeLessThanOrEqual(1.25);
});
