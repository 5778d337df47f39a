import { Code, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { rpcError } from "../contract/errors.ts";
import { BadRequestSchema } from "../gen/google/rpc/error_details_pb.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { collect, failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

const noText = {
  toString() {
    throw new Error("this is no text");
  },
} as unknown as string;

describe.each(["tunnel", "grpc", "in-process"] as const)("over %s", (way) => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld(way);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function client(replaced: Parameters<typeof echoRoutes>[0]) {
    await world.serve("echo", echoRoutes(replaced));
    return createClient(EchoService, (await world.mesh("caller")).transport("echo"));
  }

  test("an answer that is no valid message is the service's fault, logged, and ends nothing but its call", async () => {
    const echo = await client({
      echo: () => ({ text: noText }),
      async *repeat() {
        yield { text: noText };
      },
    });
    for (const call of [() => echo.echo({}), () => collect(echo.repeat({ text: "x" }))]) {
      expect(await failure(call())).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    }
    expect(world.logs.filter(({ level, code }) => level === "error" && code === "INTERNAL")).toHaveLength(2);
    expect((await echo.echoAgain({ text: "fine" })).text).toBe("fine");
  });

  test("an error that is no Unicode reaches the caller", async () => {
    const echo = await client({
      echo: () => {
        throw rpcError(Code.NotFound, "no \ud800 such", { reason: "GONE", metadata: { name: "\ud800" } });
      },
    });
    expect((await failure(echo.echo({}))).code).toBe(Code.NotFound);
  });

  test("an error with more details than trailers can carry reaches the caller with its code", async () => {
    const violations = Array.from({ length: 3_000 }, (_, n) => ({ field: `lines[${n}]`, description: "above 0" }));
    const echo = await client({
      echo: () => {
        throw rpcError(Code.InvalidArgument, "no ".repeat(30_000), { violations });
      },
    });
    const error = await failure(echo.echo({}));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage.startsWith("no no")).toBe(true);
    expect(error.findDetails(BadRequestSchema).length).toBeLessThanOrEqual(1);
  });

  test("what a handler leaves behind is cancelled when its call has ended", async () => {
    const signals: AbortSignal[] = [];
    const echo = await client({
      echo(_request, { signal }) {
        signals.push(signal);
        return {};
      },
      echoAgain(_request, { signal }) {
        signals.push(signal);
        throw rpcError(Code.NotFound, "no");
      },
    });
    await echo.echo({});
    await failure(echo.echoAgain({}));
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });
});

describe("over grpc", () => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld("grpc");
  });
  afterEach(() => world[Symbol.asyncDispose]());

  test("an answer above 4 MiB is refused, and the service's log says so", async () => {
    await world.serve("echo", echoRoutes({ echo: () => ({ text: "x".repeat(5 << 20) }) }));
    const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
    expect((await failure(echo.echo({}))).code).toBe(Code.ResourceExhausted);
    expect(world.logs.map(({ detail }) => detail)).toContain(
      "the answer has 5242885 bytes, above the limit of 4194304",
    );
  });

  test("a request above 4 MiB is refused", async () => {
    await world.serve("echo", echoRoutes());
    const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
    expect((await failure(echo.echo({ text: "x".repeat(5 << 20) }))).code).toBe(Code.ResourceExhausted);
  });

  test("a header that gRPC cannot carry is the service's fault", async () => {
    const cafe = "caf\u00e9";
    await world.serve(
      "echo",
      echoRoutes({
        echo(_request, { responseHeader }) {
          responseHeader.set("x-name", cafe);
          return {};
        },
        async *repeat({ text }, { responseHeader }) {
          responseHeader.set("x-name", cafe);
          yield { text };
        },
        async *chat(_requests, { responseTrailer }) {
          yield { text: "x" };
          responseTrailer.set("x-name", cafe);
        },
      }),
    );
    const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
    async function* nothing() {}
    expect((await failure(echo.echo({}))).code).toBe(Code.Internal);
    expect((await failure(collect(echo.repeat({ text: "x" })))).code).toBe(Code.Internal);
    expect((await failure(collect(echo.chat(nothing())))).code).toBe(Code.Internal);
    expect((await failure(echo.echoAgain({}, { headers: { "x-name": cafe } }))).code).toBe(Code.Internal);
  });
});
