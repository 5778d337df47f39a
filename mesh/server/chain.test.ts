import { Code, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CallContext, currentCall, runAs } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import { pushbackMs } from "../contract/pushback.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

describe.each(["tunnel", "grpc", "in-process"] as const)("over %s", (way) => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld(way);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function client(echo: () => { text: string }) {
    await world.serve("echo", echoRoutes({ echo }));
    return createClient(EchoService, (await world.mesh("caller")).transport("echo"));
  }
  const chain = () => ({ text: `${currentCall()?.attempt} ${currentCall()?.criticality}` });

  test("a handler knows of the chain above it", async () => {
    const echo = await client(chain);
    const asPartOf = (chain: Partial<CallContext>) =>
      runAs(chain, () => echo.echo({}, { headers: { baggage: "tenant=7" } }));
    expect((await asPartOf({ attempt: 2, criticality: "sheddable" })).text).toBe("2 sheddable");
    expect((await asPartOf({ criticality: "critical" })).text).toBe("1 critical");
    expect((await asPartOf({})).text).toBe("1 undefined");
  });

  test("what the first method of a chain says of its criticality holds for all that it asks for", async () => {
    const seen: unknown[] = [];
    const echo = () => {
      seen.push(currentCall()?.criticality);
      return { text: "" };
    };
    await world.serve("leaf", echoRoutes({ echo }));
    await world.serve("middle", (router, mesh) =>
      echoRoutes({
        async echoForUser() {
          seen.push(currentCall()?.criticality);
          await createClient(EchoService, mesh.transport("leaf")).echo({});
          return {};
        },
      })(router),
    );
    const first = createClient(EchoService, (await world.mesh("caller")).transport("middle"));
    const endUser = { userId: "usr_1", scopes: ["echo"] };
    await runAs({ endUser }, () => first.echoForUser({}));
    await runAs({ endUser, criticality: "sheddable" }, () => first.echoForUser({}));
    expect(seen).toEqual(["critical", "critical", "sheddable", "sheddable"]);
  });

  test("headers that are handed on say nothing of the chain", async () => {
    const echo = await client(chain);
    const headers = { baggage: "weft-attempt=2,weft-criticality=critical" };
    expect((await echo.echo({}, { headers })).text).toBe("1 undefined");
  });

  test.each([
    [Code.Unavailable, Number.POSITIVE_INFINITY],
    [Code.ResourceExhausted, Number.POSITIVE_INFINITY],
    [Code.DeadlineExceeded, Number.POSITIVE_INFINITY],
    // Nobody repeats it anyhow.
    [Code.FailedPrecondition, undefined],
  ])("code %i of a call that has repeated another in vain asks not to be repeated", async (code, expected) => {
    const echo = await client(() => {
      runAs({ deadlineMs: Number.POSITIVE_INFINITY }, () => {
        const call = currentCall();
        if (call) call.retriesSpent = true;
      });
      throw rpcError(code, "no");
    });
    expect(pushbackMs(await failure(echo.echo({})))).toBe(expected);
  });

  test("a failure of its own may be repeated", async () => {
    const echo = await client(() => {
      throw rpcError(Code.Unavailable, "no");
    });
    expect(pushbackMs(await failure(echo.echo({})))).toBeUndefined();
  });
});
