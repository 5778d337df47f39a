import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";

let world: World;
beforeEach(async () => {
  world = await createWorld("grpc");
});
afterEach(() => world[Symbol.asyncDispose]());

test("an answer that is no valid message is the service's fault, and the next call is answered", async () => {
  let text: unknown = {
    toString() {
      throw new Error("this is no text");
    },
  };
  await world.serve("echo", echoRoutes({ echo: () => ({ text: text as string }) }));
  const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
  const error = await echo.echo({}).catch(ConnectError.from);
  expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
  expect(world.logs.some(({ level, code }) => level === "error" && code === "INTERNAL")).toBe(true);
  text = "fine";
  expect((await echo.echo({})).text).toBe("fine");
});

test("a call that has ended is not cancelled afterwards", async () => {
  const signals: AbortSignal[] = [];
  await world.serve(
    "echo",
    echoRoutes({
      echo(_request, { signal }) {
        signals.push(signal);
        return {};
      },
    }),
  );
  const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
  // The second call leaves after grpc-js has told the first one's end.
  await echo.echo({});
  await echo.echo({});
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
});
