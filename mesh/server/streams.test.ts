import { Code, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { currentCall, runAs } from "../context/call-context.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { collect, failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

const never = new Promise<never>(() => undefined);

async function* thenSilence(text: string) {
  yield { text };
  await never;
}

describe.each(["tunnel", "grpc", "in-process"] as const)("a stream over %s", (way) => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld(way);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function client(replaced: Parameters<typeof echoRoutes>[0] = {}) {
    await world.serve("echo", echoRoutes(replaced));
    return createClient(EchoService, (await world.mesh("caller")).transport("echo"));
  }

  test("carries the handler's headers and trailers", async () => {
    const echo = await client({
      async *repeat({ text }, context) {
        context.responseHeader.set("x-early", "1");
        yield { text };
        context.responseTrailer.set("x-late", "2");
      },
    });
    let [early, late]: (string | null | undefined)[] = [];
    const onHeader = (header: Headers) => {
      early = header.get("x-early");
    };
    const onTrailer = (trailer: Headers) => {
      late = trailer.get("x-late");
    };
    await collect(echo.repeat({ text: "x" }, { onHeader, onTrailer }));
    expect([early, late]).toEqual(["1", "2"]);
  });

  test("a handler that waits for a message of a caller who leaves is told", async () => {
    const ended = Promise.withResolvers<void>();
    const echo = await client({
      async *chat(requests) {
        try {
          for await (const { text } of requests) yield { text };
        } finally {
          ended.resolve();
        }
      },
    });
    const abort = new AbortController();
    const read = async () => {
      for await (const _ of echo.chat(thenSilence("x"), { signal: abort.signal })) abort.abort();
    };
    expect((await failure(read())).code).toBe(Code.Canceled);
    await ended.promise;
  });

  test("a caller who cancels in the middle of his messages is not taken for one who is done", async () => {
    const received = Promise.withResolvers<void>();
    const outcome = Promise.withResolvers<string>();
    const echo = await client({
      async join(requests) {
        try {
          for await (const _ of requests) received.resolve();
          outcome.resolve("acted on half of it");
        } catch {
          outcome.resolve("was told");
        }
        return {};
      },
    });
    const abort = new AbortController();
    const call = failure(echo.join(thenSilence("half"), { signal: abort.signal }));
    await received.promise;
    abort.abort();
    expect((await call).code).toBe(Code.Canceled);
    expect(await outcome.promise).toBe("was told");
  });

  test("a caller whose messages fail has cancelled the call: the server did nothing wrong", async () => {
    const received = Promise.withResolvers<void>();
    const echo = await client({
      async join(requests) {
        for await (const _ of requests) received.resolve();
        return {};
      },
    });
    async function* failing() {
      yield { text: "x" };
      await received.promise;
      throw new Error("the caller's own trouble");
    }
    const error = await failure(echo.join(failing()));
    expect([error.code, error.rawMessage]).toEqual([Code.Canceled, "the messages of this call failed"]);
    await expect.poll(() => world.logs.map(({ code }) => code)).toContain("CANCELLED");
    expect(world.logs.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  });

  test("a caller makes his messages in his own context", async () => {
    const echo = await client();
    const seen: unknown[] = [];
    async function* messages() {
      const call = currentCall();
      seen.push(call?.method, call?.peer, call?.endUser);
      yield { text: "x" };
    }
    const own = { method: "his.Method", peer: "spiffe://test.local/edge", endUser: { userId: "usr_1", scopes: [] } };
    await runAs(own, () => echo.join(messages()));
    expect(seen).toEqual([own.method, own.peer, own.endUser]);
  });

  test("a caller's messages are left when the call is over", async () => {
    const left = Promise.withResolvers<void>();
    const echo = await client({
      async join(requests) {
        for await (const _ of requests) break;
        return { text: "enough" };
      },
    });
    async function* messages() {
      try {
        for (;;) yield { text: "x" };
      } finally {
        left.resolve();
      }
    }
    expect((await echo.join(messages())).text).toBe("enough");
    await left.promise;
  });

  test("that a handler leaves open ends with the handler's call, though Connect's client tells nobody of a break", async () => {
    const ended = Promise.withResolvers<void>();
    await world.serve("leaf", (router) =>
      echoRoutes({
        async *repeat({ text }) {
          try {
            for (;;) yield { text };
          } finally {
            ended.resolve();
          }
        },
      })(router),
    );
    await world.serve("middle", (router, mesh) =>
      echoRoutes({
        async echo() {
          const leaf = createClient(EchoService, mesh.transport("leaf"));
          for await (const { text } of leaf.repeat({ text: "first" })) return { text };
          return {};
        },
      })(router),
    );
    const middle = createClient(EchoService, (await world.mesh("caller")).transport("middle"));
    expect((await middle.echo({})).text).toBe("first");
    await ended.promise;
  });

  test("whose deadline is years away is no stream without time", async () => {
    const echo = await client();
    await expect(collect(echo.repeat({ text: "x", count: 3 }, { timeoutMs: 2 ** 33 }))).resolves.toHaveLength(3);
  });

  test("ends at its deadline though nobody reads", async () => {
    const ended = Promise.withResolvers<AbortSignal | undefined>();
    const echo = await client({
      async *repeat() {
        try {
          for (;;) yield { text: "x".repeat(100_000) };
        } finally {
          ended.resolve(currentCall()?.signal);
        }
      },
    });
    const messages = echo.repeat({ text: "x" }, { timeoutMs: 300 })[Symbol.asyncIterator]();
    await messages.next();
    expect((await ended.promise)?.aborted).toBe(true);
    // Over gRPC the caller's own clock may be the first to say so, by a reset.
    await expect
      .poll(() => world.logs.some(({ code }) => code === "DEADLINE_EXCEEDED" || code === "CANCELLED"))
      .toBe(true);
  });
});
