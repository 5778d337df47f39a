import { setTimeout as wait } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { currentCall, runAs } from "../context/call-context.ts";
import { errorReason, rpcError } from "../contract/errors.ts";
import { BadRequestSchema } from "../gen/google/rpc/error_details_pb.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { collect, failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

async function* listed<T>(...items: T[]): AsyncIterable<T> {
  yield* items;
}

describe.each(["tunnel", "grpc", "in-process"] as const)("a call over %s", (way) => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld(way);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function client(replaced: Parameters<typeof echoRoutes>[0] = {}) {
    await world.serve("echo", echoRoutes(replaced));
    const mesh = await world.mesh("caller");
    return createClient(EchoService, mesh.transport("echo"));
  }

  test("answers, and the server knows who called by his certificate", async () => {
    const echo = await client();
    const answer = await echo.echoAgain({ text: "hello" });
    expect(answer.text).toBe("hello");
    expect(answer.peer).toBe("spiffe://test.local/caller");
  });

  test("streams from the server, from the client and both ways", async () => {
    const echo = await client();
    expect((await collect(echo.repeat({ text: "a", count: 1000 }))).length).toBe(1000);
    expect((await echo.join(listed({ text: "a" }, { text: "b" }, { text: "c" }))).text).toBe("a b c");
    expect((await collect(echo.chat(listed({ text: "x" }, { text: "y" })))).map((m) => m.text)).toEqual(["x", "y"]);
  });

  test("carries the handler's headers and trailers to the caller and the caller's to the handler", async () => {
    const echo = await client({
      echo(_request, context) {
        context.responseHeader.set("x-seen", context.requestHeader.get("x-asked") ?? "");
        context.responseTrailer.set("x-bytes-bin", "AQID");
        return { text: "" };
      },
    });
    const [headers, trailers] = [new Headers(), new Headers()];
    await echo.echo(
      {},
      {
        headers: { "x-asked": "yes" },
        onHeader: (header) => header.forEach((value, key) => void headers.set(key, value)),
        onTrailer: (trailer) => trailer.forEach((value, key) => void trailers.set(key, value)),
      },
    );
    expect(headers.get("x-seen")).toBe("yes");
    expect(trailers.get("x-bytes-bin")).toBe("AQID");
  });

  test("refuses what the contract's rules refuse and names each field", async () => {
    const echo = await client();
    const error = await failure(collect(echo.repeat({ text: "", count: -1 })));
    expect(error.code).toBe(Code.InvalidArgument);
    const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field);
    expect(fields).toEqual(["text", "count"]);
  });

  test("checks every message of a client stream", async () => {
    const echo = await client();
    const error = await failure(echo.join(listed({ text: "ok" }, { text: "x".repeat(2000) })));
    expect(error.code).toBe(Code.InvalidArgument);
  });

  test("passes a handler's error on with its code, message and details", async () => {
    const echo = await client({
      echo: () => {
        throw rpcError(Code.FailedPrecondition, "not now", { reason: "BUSY", metadata: { until: "noon" } });
      },
    });
    const error = await failure(echo.echo({}));
    expect([error.code, error.rawMessage, errorReason(error)]).toEqual([Code.FailedPrecondition, "not now", "BUSY"]);
  });

  test("tells the caller nothing of an unknown error, and the log everything", async () => {
    const echo = await client({
      echo: () => {
        throw new TypeError("password=hunter2 is undefined");
      },
    });
    const error = await failure(echo.echo({}));
    expect([error.code, error.rawMessage]).toEqual([Code.Internal, "internal error"]);
    const line = world.logs.find(({ level }) => level === "error");
    expect(line).toMatchObject({ code: "INTERNAL", error: { message: "password=hunter2 is undefined" } });
    expect(line?.trace_id).toMatch(/^[0-9a-f]{32}$/);
  });

  test("stops at the deadline, whatever the handler does, and the handler's signal says so", async () => {
    let aborted: unknown;
    const echo = await client({
      async echo() {
        const signal = currentCall()?.signal;
        await new Promise((resolve) => signal?.addEventListener("abort", resolve));
        aborted = signal?.reason;
        await wait(10_000, undefined, { ref: false });
        return { text: "" };
      },
    });
    const error = await failure(echo.echo({}, { timeoutMs: 100 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    await expect.poll(() => aborted).toBeInstanceOf(ConnectError);
  });

  test("ends a method without a caller's deadline at the contract's", async () => {
    const echo = await client({ echoAgain: () => new Promise(() => undefined) });
    const error = await failure(echo.echoAgain({}, { timeoutMs: 60_000 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test("does not send a call whose deadline has passed", async () => {
    let calls = 0;
    const echo = await client({
      echo: () => {
        calls += 1;
        return {};
      },
    });
    const error = await failure(runAs({ deadlineMs: Date.now() - 1 }, () => echo.echo({})));
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(calls).toBe(0);
  });

  test("hands the end user on from hop to hop, and refuses who lacks a scope", async () => {
    await world.serve("leaf", echoRoutes());
    await world.serve("middle", (router, mesh) =>
      echoRoutes({ echo: async () => ({ text: (await leaf(mesh).echoForUser({})).userId }) })(router),
    );
    const leaf = (mesh: Awaited<ReturnType<World["mesh"]>>) => createClient(EchoService, mesh.transport("leaf"));
    const middle = createClient(EchoService, (await world.mesh("caller")).transport("middle"));
    const as = (scopes: string[]) => runAs({ endUser: { userId: "usr_1", scopes } }, () => middle.echo({}));
    expect((await as(["echo"])).text).toBe("usr_1");
    expect((await failure(as(["other"]))).code).toBe(Code.PermissionDenied);
    expect((await failure(middle.echo({}))).code).toBe(Code.Unauthenticated);
  });

  test("a cancelled caller stops a chain of four hops within 50 ms", async () => {
    const stopped: number[] = [];
    let reached: (() => void) | undefined;
    const atTheEnd = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const hop = (next: string | undefined) =>
      world.serve(next === undefined ? "hop4" : `hop${Number(next.slice(3)) - 1}`, (router, mesh) =>
        echoRoutes({
          async echo(request) {
            currentCall()?.signal.addEventListener("abort", () => stopped.push(performance.now()));
            if (next) return await createClient(EchoService, mesh.transport(next)).echo(request);
            reached?.();
            return await new Promise(() => undefined);
          },
        })(router),
      );
    for (const next of [undefined, "hop4", "hop3", "hop2"]) await hop(next);
    const first = createClient(EchoService, (await world.mesh("caller")).transport("hop1"));
    const abort = new AbortController();
    const call = failure(first.echo({}, { signal: abort.signal }));
    await atTheEnd;
    const cancelledAt = performance.now();
    abort.abort();
    expect((await call).code).toBe(Code.Canceled);
    await expect.poll(() => stopped.length, { interval: 5 }).toBe(4);
    expect(Math.max(...stopped) - cancelledAt).toBeLessThan(50);
  });

  test("gives each side messages of its own", async () => {
    const kept: { text: string }[] = [];
    const echo = await client({
      echo(request) {
        request.text = "changed by the handler";
        kept.push(request);
        return { text: request.text };
      },
    });
    const request = { $typeName: "weft.echo.v1.EchoRequest" as const, text: "mine" };
    const answer = await echo.echo(request);
    answer.text = "changed by the caller";
    expect(request.text).toBe("mine");
    expect(kept[0]?.text).toBe("changed by the handler");
  });

  test("a reader who leaves a server stream stops the handler", async () => {
    let ended = false;
    const echo = await client({
      async *repeat() {
        try {
          for (;;) yield { text: "again" };
        } finally {
          ended = true;
        }
      },
    });
    const abort = new AbortController();
    const read = async () => {
      for await (const _ of echo.repeat({ text: "x", count: 1 }, { signal: abort.signal })) abort.abort();
    };
    expect((await failure(read())).code).toBe(Code.Canceled);
    await expect.poll(() => ended).toBe(true);
  });

  test("one trace covers all hops", async () => {
    const seen: string[] = [];
    await world.serve("leaf", (router) =>
      echoRoutes({
        echo(_request, { requestHeader }) {
          seen.push(requestHeader.get("traceparent")?.split("-")[1] ?? "");
          return {};
        },
      })(router),
    );
    await world.serve("middle", (router, mesh) =>
      echoRoutes({
        async echo(request, { requestHeader }) {
          seen.push(requestHeader.get("traceparent")?.split("-")[1] ?? "");
          return await createClient(EchoService, mesh.transport("leaf")).echo(request);
        },
      })(router),
    );
    await createClient(EchoService, (await world.mesh("caller")).transport("middle")).echo({});
    expect(seen[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(seen[1]).toBe(seen[0]);
  });
});
