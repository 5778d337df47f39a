import { type Client, Code, createClient } from "@connectrpc/connect";
import type { ServiceError } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { currentCall } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { startBareHop } from "../testing/bare-hop.ts";
import { echoRoutes } from "../testing/echo.ts";
import { failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

let world: World;
afterEach(() => world[Symbol.asyncDispose]());

interface Chain {
  readonly entry: Client<typeof EchoService>;
  /** The attempt that each call at the leaf was part of. */
  readonly atLeaf: number[];
}

/**
 * Four hops, of which each may repeat a call twice: entry -> first -> bare -> last -> leaf. The one in the middle is grpc-js alone.
 *
 * @param onError what that one tells its caller of a failure: all that it was told, if left out
 */
async function startChain(
  answer: () => { text: string },
  onError: (error: ServiceError) => Partial<ServiceError> = (error) => error,
): Promise<Chain> {
  const atLeaf: number[] = [];
  let well = true;
  const leaf = await world.serve(
    "leaf",
    echoRoutes({
      echoAgain: () => {
        atLeaf.push(currentCall()?.attempt ?? 0);
        return well ? { text: "well" } : answer();
      },
    }),
  );
  const passOn = async (service: string, next: string, address: string) => {
    const client = createClient(EchoService, (await world.mesh(service, { [next]: [address] })).transport(next));
    return await world.serve(service, echoRoutes({ echoAgain: ({ text }) => client.echoAgain({ text }) }));
  };
  const last = await passOn("last", "leaf", leaf.address);
  const bare = await startBareHop({
    credentials: await world.credentials("bare"),
    next: { service: "last", address: last.address },
    methods: ["weft.echo.v1.EchoService/EchoAgain"],
    onError,
  });
  world.defer(() => bare[Symbol.dispose]());
  const first = await passOn("first", "bare", bare.address);
  const mesh = await world.mesh("entry", { first: [first.address] });
  const entry = createClient(EchoService, mesh.transport("first"));
  // Warm: a call that takes too long the first time would open breakers.
  for (let call = 0; call < 20; call++) expect((await entry.echoAgain({})).text).toBe("well");
  atLeaf.length = 0;
  well = false;
  return { entry, atLeaf };
}

const dead = () => {
  throw rpcError(Code.Unavailable, "dead");
};
/** Nobody's breaker opens on it, so that nothing but the budgets holds the repetitions back. */
const loaded = () => {
  throw rpcError(Code.ResourceExhausted, "loaded", { retryDelayMs: 1 });
};

describe.each(["auto", "grpc"] as const)("over %s", (way) => {
  beforeEach(async () => {
    world = await createWorld(way);
  });

  test("a call is repeated by the hop next to its failure alone, through a hop that knows nothing of Weft", async () => {
    const { entry, atLeaf } = await startChain(dead);
    expect((await failure(entry.echoAgain({}))).code).toBe(Code.Unavailable);
    expect(atLeaf).toEqual([1, 2, 3]);
  });

  test("where a hop tells nothing of what it was told, those above repeat too, and those below do not repeat that", async () => {
    const { entry, atLeaf } = await startChain(dead, ({ code, details }) => ({ code, details }));
    await failure(entry.echoAgain({}));
    expect(atLeaf).toEqual([1, 2, 3, 2, 3]);
  });

  test.each([
    ["is dead", dead, Code.Unavailable],
    ["refuses all calls and asks for them again", loaded, Code.ResourceExhausted],
  ])("a leaf that %s gets at most 1.2 times the calls of the entry, four hops above", async (_name, answer, code) => {
    const calls = 500;
    const { entry, atLeaf } = await startChain(answer);
    const codes: Code[] = [];
    const caller = async (): Promise<void> => {
      while (codes.length < calls) codes.push((await failure(entry.echoAgain({}))).code);
    };
    await Promise.all(Array.from({ length: 8 }, caller));
    expect(atLeaf.length / codes.length).toBeLessThanOrEqual(1.2);
    // It is repeated at all.
    const reached = codes.filter((seen) => seen === code).length;
    if (code === Code.ResourceExhausted) expect(atLeaf.length / reached).toBeGreaterThan(1.05);
    else expect(reached).toBe(codes.length);
  });
});
