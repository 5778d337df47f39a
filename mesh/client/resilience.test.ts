import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorReason, rpcError } from "../contract/errors.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { collect, failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

const unavailable = () => {
  throw rpcError(Code.Unavailable, "away");
};

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  return await call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );
}

describe.each(["tunnel", "grpc", "in-process"] as const)("a client over %s", (way) => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld(way);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const client = async () => createClient(EchoService, (await world.mesh("caller")).transport("echo"));

  test("repeats a failed call where the contract says that it may run twice, as often as it says", async () => {
    let calls = 0;
    await world.serve(
      "echo",
      echoRoutes({
        echoAgain: ({ text }) => {
          calls += 1;
          return calls < 3 ? unavailable() : { text };
        },
      }),
    );
    expect((await (await client()).echoAgain({ text: "at last" })).text).toBe("at last");
    expect(calls).toBe(3);
  });

  test("never repeats a call that may not run twice", async () => {
    let calls = 0;
    await world.serve(
      "echo",
      echoRoutes({
        echo: () => {
          calls += 1;
          return unavailable();
        },
      }),
    );
    expect(await codeOf((await client()).echo({}))).toBe(Code.Unavailable);
    expect(calls).toBe(1);
  });

  test("does not repeat what is the caller's fault", async () => {
    let calls = 0;
    await world.serve(
      "echo",
      echoRoutes({
        echoAgain: () => {
          calls += 1;
          throw rpcError(Code.FailedPrecondition, "no");
        },
      }),
    );
    expect(await codeOf((await client()).echoAgain({}))).toBe(Code.FailedPrecondition);
    expect(calls).toBe(1);
  });

  test("gives up an attempt at its own limit and makes another", async () => {
    let calls = 0;
    await world.serve(
      "echo",
      echoRoutes({
        echoAgain: async ({ text }) => {
          calls += 1;
          return calls === 1 ? await new Promise(() => undefined) : { text };
        },
      }),
    );
    expect((await (await client()).echoAgain({ text: "second" })).text).toBe("second");
    expect(calls).toBe(2);
  });

  test("opens the breaker of an ill method within ten calls, fails fast, and closes it within 5 s of the heal", async () => {
    let ill = true;
    let calls = 0;
    await world.serve(
      "echo",
      echoRoutes({
        echo: ({ text }) => {
          calls += 1;
          return ill ? unavailable() : { text };
        },
      }),
    );
    const mesh = await world.mesh("caller");
    const echo = createClient(EchoService, mesh.transport("echo"));
    for (let call = 0; call < 10; call++) await codeOf(echo.echo({}));
    expect(calls).toBeLessThan(10);
    expect(mesh.breakers()).toMatchObject([{ target: "echo", method: "weft.echo.v1.EchoService/Echo", state: "open" }]);
    const refused = await echo.echo({}).catch((error: unknown) => ConnectError.from(error));
    expect(refused).toBeInstanceOf(ConnectError);
    if (refused instanceof ConnectError) expect(errorReason(refused)).toBe("BREAKER_OPEN");
    // Another method of the same endpoint is well.
    expect(await codeOf(echo.echoAgain({}))).toBeUndefined();

    ill = false;
    const healedAt = performance.now();
    await expect.poll(() => codeOf(echo.echo({})), { timeout: 5_000, interval: 50 }).toBeUndefined();
    expect(performance.now() - healedAt).toBeLessThan(5_000);
    expect(mesh.breakers().find(({ method }) => method.endsWith("/Echo"))?.state).toBe("closed");
  });

  test("ends at once when its caller leaves between two attempts", async () => {
    let calls = 0;
    await world.serve(
      "echo",
      echoRoutes({
        echoAgain: () => {
          calls += 1;
          throw rpcError(Code.Unavailable, "away", { retryDelayMs: 1_500 });
        },
      }),
    );
    const abort = new AbortController();
    const call = codeOf((await client()).echoAgain({}, { signal: abort.signal }));
    await expect.poll(() => calls).toBe(1);
    const leftAt = performance.now();
    abort.abort();
    expect(await call).toBe(Code.Canceled);
    expect(performance.now() - leftAt).toBeLessThan(500);
    expect(calls).toBe(1);
  });

  test("callers in a hurry open no breaker for the others", async () => {
    await world.serve("echo", echoRoutes());
    const mesh = await world.mesh("caller");
    const echo = createClient(EchoService, mesh.transport("echo"));
    await echo.echo({});
    const slow = { delay: { seconds: 1n } };
    for (let call = 0; call < 10; call++) {
      expect(await codeOf(echo.echo(slow, { timeoutMs: 10 }))).toBe(Code.DeadlineExceeded);
    }
    expect(mesh.breakers()).toMatchObject([{ state: "closed" }]);
  });

  test("opens the breaker of streams that break, before or after their first message", async () => {
    async function* broken(text: string) {
      if (text !== "") yield { text };
      unavailable();
    }
    await world.serve("echo", echoRoutes({ repeat: ({ text }) => broken(text), chat: () => broken("") }));
    const mesh = await world.mesh("caller");
    const echo = createClient(EchoService, mesh.transport("echo"));
    async function* nothing() {}
    for (let call = 0; call < 5; call++) {
      expect(await codeOf(collect(echo.repeat({ text: "one" })))).toBe(Code.Unavailable);
      expect(await codeOf(collect(echo.chat(nothing())))).toBe(Code.Unavailable);
    }
    await expect.poll(() => mesh.breakers().map(({ state }) => state)).toEqual(["open", "open"]);
  });

  test("0 is no timeout, as Connect has it", async () => {
    await world.serve("echo", echoRoutes());
    expect(await codeOf((await client()).echo({}, { timeoutMs: 0 }))).toBeUndefined();
  });

  test("fails with errors of one type, those of its own process too", async () => {
    await world.serve("echo", echoRoutes());
    const mesh = await world.mesh("caller");
    const echo = createClient(EchoService, mesh.transport("echo"));
    await failure(echo.echo({ delay: { nanos: 0.5 } }));
    mesh[Symbol.dispose]();
    expect((await failure(echo.echo({}))).code).toBe(Code.Canceled);
    expect((await failure(collect(echo.repeat({ text: "x" })))).code).toBe(Code.Canceled);
  });

  test("lets one probe at a time through a half-open breaker", async () => {
    let answer: (() => void) | undefined;
    let ill = true;
    let calls = 0;
    await world.serve(
      "echo",
      echoRoutes({
        async echo({ text }) {
          calls += 1;
          if (ill) return unavailable();
          await new Promise<void>((resolve) => {
            answer = resolve;
          });
          return { text };
        },
      }),
    );
    const mesh = await world.mesh("caller");
    const echo = createClient(EchoService, mesh.transport("echo"));
    while (mesh.breakers()[0]?.state !== "open") await codeOf(echo.echo({}));
    ill = false;
    const before = calls;
    const outcomes: Promise<Code | undefined>[] = [];
    await expect
      .poll(() => {
        outcomes.push(codeOf(echo.echo({})), codeOf(echo.echo({})), codeOf(echo.echo({})));
        return calls;
      })
      .toBe(before + 1);
    expect(await Promise.all(outcomes.slice(-2))).toEqual([Code.Unavailable, Code.Unavailable]);
    answer?.();
    await expect.poll(() => mesh.breakers()[0]?.state).toBe("closed");
    expect(calls).toBe(before + 1);
  });
});

describe("a client of several endpoints", () => {
  test("goes round an endpoint that is dead once it has failed a little", async () => {
    await using world = await createWorld();
    const dead = await world.serve("echo", echoRoutes());
    const alive = await world.serve("echo", echoRoutes());
    const mesh = await world.mesh("caller", { echo: [dead.address, alive.address] });
    const echo = createClient(EchoService, mesh.transport("echo"));
    await dead.server[Symbol.asyncDispose]();
    const outcomes: (Code | undefined)[] = [];
    for (let call = 0; call < 25; call++) outcomes.push(await codeOf(echo.echo({})));
    expect(outcomes.filter((code) => code !== undefined).length).toBeLessThanOrEqual(5);
    expect(new Set(outcomes.slice(-10))).toEqual(new Set([undefined]));
  });

  test("repeats a call on the other endpoint", async () => {
    await using world = await createWorld();
    await world.serve("echo", echoRoutes({ echoAgain: unavailable }));
    await world.serve("echo", echoRoutes());
    const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
    for (let call = 0; call < 4; call++) expect(await codeOf(echo.echoAgain({}))).toBeUndefined();
  });
});

describe.each(["tunnel", "grpc"] as const)("a call that may not run twice, over %s,", (way) => {
  test("is made elsewhere when it surely did not run", async () => {
    await using world = await createWorld(way);
    const dead = await world.serve("echo", echoRoutes());
    const { address } = await world.serve("echo", echoRoutes());
    const mesh = await world.mesh("caller", { echo: [dead.address, address] });
    const echo = createClient(EchoService, mesh.transport("echo"));
    for (let call = 0; call < 4; call++) await echo.echo({});
    await dead.server[Symbol.asyncDispose]();
    for (let call = 0; call < 20; call++) expect(await codeOf(echo.echo({}))).toBeUndefined();
  });

  test("tells its caller so when there is nowhere else to go, in words that say nothing of the caller's own call", async () => {
    await using world = await createWorld(way);
    const { address, server } = await world.serve("echo", echoRoutes());
    const mesh = await world.mesh("caller", { echo: [address] });
    const echo = createClient(EchoService, mesh.transport("echo"));
    await server[Symbol.asyncDispose]();
    const error = await failure(echo.echo({}));
    expect([error.code, errorReason(error)]).toEqual([Code.Unavailable, "CALL_NOT_RUN"]);
  });
});

describe("an address without a server", () => {
  test("fails fast with UNAVAILABLE, and calls succeed within 5 s of its start", async () => {
    await using world = await createWorld();
    const first = await world.serve("echo", echoRoutes());
    await first.server[Symbol.asyncDispose]();
    const mesh = await world.mesh("caller");
    const echo = createClient(EchoService, mesh.transport("echo"));
    for (let call = 0; call < 20; call++) expect(await codeOf(echo.echo({}))).toBe(Code.Unavailable);
    await world.serve("echo", echoRoutes(), { port: first.server.port });
    await expect.poll(() => codeOf(echo.echo({})), { timeout: 5_000, interval: 50 }).toBeUndefined();
  });
});
