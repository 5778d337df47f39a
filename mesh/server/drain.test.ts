import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { collect, failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

describe.each(["tunnel", "grpc", "in-process"] as const)("a server that drains, called over %s", (way) => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld(way);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function start(replaced: Parameters<typeof echoRoutes>[0] = {}) {
    const { server } = await world.serve("echo", echoRoutes(replaced));
    const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
    return { server, echo };
  }

  test("lets a call end that takes longer than the client's keepalive", async () => {
    const { server, echo } = await start();
    await echo.echo({});
    const inHand = echo.echo({ text: "late", delay: { seconds: 2n, nanos: 500_000_000 } });
    await expect.poll(async () => (await echo.echo({ text: "reached" })).text).toBe("reached");
    const drained = server[Symbol.asyncDispose]();
    expect((await inHand).text).toBe("late");
    await drained;
  });

  test("is not closed before the last call in hand has ended", async () => {
    const answer = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const { server, echo } = await start({
      async echo() {
        reached.resolve();
        await answer.promise;
        return { text: "answered" };
      },
    });
    const inHand = echo.echo({});
    await reached.promise;
    let drained = false;
    const draining = server[Symbol.asyncDispose]().then(() => {
      drained = true;
    });
    const late = () =>
      echo.echoAgain({}).then(
        () => undefined,
        (error: unknown) => ConnectError.from(error).code,
      );
    await expect.poll(late).toBe(Code.Unavailable);
    expect(drained).toBe(false);
    answer.resolve();
    expect((await inHand).text).toBe("answered");
    await draining;
  });

  test("ends a stream that would go on for ever, and its caller may ask another server", async () => {
    const { server, echo } = await start({
      async *repeat({ text }, { signal }) {
        yield { text };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const messages = echo.repeat({ text: "x" })[Symbol.asyncIterator]();
    expect((await messages.next()).value?.text).toBe("x");
    const startedAt = performance.now();
    const draining = server[Symbol.asyncDispose]();
    expect((await failure(messages.next())).code).toBe(Code.Unavailable);
    await draining;
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test("does not wait for a stream that its reader has left without a word", async () => {
    const { server, echo } = await start();
    const abort = new AbortController();
    const messages = echo.repeat({ text: "x", count: 1_000_000 }, { signal: abort.signal })[Symbol.asyncIterator]();
    await messages.next();
    abort.abort();
    const startedAt = performance.now();
    await server[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test("leaves no call in hand", async () => {
    const { server, echo } = await start();
    await Promise.all([
      echo.echo({}),
      collect(echo.repeat({ text: "x", count: 5 })),
      failure(collect(echo.repeat({}))),
    ]);
    for await (const _ of echo.repeat({ text: "x", count: 5 })) break;
    const startedAt = performance.now();
    await server[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
