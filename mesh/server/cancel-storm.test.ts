import { type Code, ConnectError, createClient } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld } from "../testing/world.ts";

test("a storm of cancelled calls harms no other call of the connection", async () => {
  await using world = await createWorld();
  await world.serve("echo", echoRoutes());
  const mesh = await world.mesh("caller");
  const echo = createClient(EchoService, mesh.transport("echo"));
  const outcomes = new Map<Code | undefined, number>();
  const count = (code: Code | undefined) => void outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
  const innocent = async () => {
    for (let call = 0; call < 100; call++) {
      await echo.echoAgain({ text: "x" }).then(
        () => count(undefined),
        (error: unknown) => count(ConnectError.from(error).code),
      );
    }
  };
  const storm = async () => {
    for (let call = 0; call < 100; call++) {
      const abort = new AbortController();
      const cancelled = echo.echo({ delay: { seconds: 1n } }, { signal: abort.signal }).catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      abort.abort();
      await cancelled;
    }
  };
  await Promise.all([innocent(), ...Array.from({ length: 30 }, storm)]);
  await innocent();
  expect([...outcomes]).toEqual([[undefined, 200]]);
  expect(mesh.breakers().map(({ state }) => state)).toEqual(["closed", "closed"]);
});
