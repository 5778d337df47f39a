import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { currentCall, runDetached } from "../context/call-context.ts";
import { errorReason } from "../contract/errors.ts";
import { BadRequestSchema } from "../gen/google/rpc/error_details_pb.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { collect, failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";
import { servePublic } from "./public-server.ts";

type Replaced = Parameters<typeof echoRoutes>[0];

/** What a handler sees of its caller's key. */
const seen = () => currentCall()?.idempotencyKey ?? "none";

describe.each(["tunnel", "grpc", "in-process"] as const)(
  "a key, with services that call each other over %s,",
  (way) => {
    let world: World;
    let edge: Awaited<ReturnType<typeof servePublic>> | undefined;
    beforeEach(async () => {
      world = await createWorld(way);
    });
    afterEach(async () => {
      await edge?.[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    });

    async function startEdge(replaced: Replaced) {
      edge = await servePublic({
        ...{
          address: { host: "127.0.0.1", port: 0 },
          addressSetting: "EDGE_ADDR",
          corsOrigins: ["https://shop.example"],
        },
        ...{ routes: echoRoutes(replaced), telemetry: world.telemetry("edge"), authenticate: async () => undefined },
      });
      return `http://127.0.0.1:${edge.port}`;
    }
    const inner = async (name: string) => createClient(EchoService, (await world.mesh("edge")).transport(name));
    const withKey = (key: string) => ({ headers: { "Idempotency-Key": key } });

    test("comes from outside in each protocol, goes on to the methods that take one, and no hop further", async () => {
      await world.serve("leaf", echoRoutes({ echo: () => ({ text: seen() }) }));
      await world.serve("middle", (router, mesh) =>
        echoRoutes({
          echo: async () => ({
            text: `${seen()} ${(await createClient(EchoService, mesh.transport("leaf")).echo({})).text}`,
          }),
          async *repeat(_request, { requestHeader }) {
            yield { text: requestHeader.get("idempotency-key") ?? "none" };
          },
        })(router),
      );
      const middle = await inner("middle");
      const url = await startEdge({
        async echo() {
          const [untaken] = await collect(middle.repeat({ text: "a" }));
          const detached = await runDetached({ timeoutMs: 1_000 }, () => middle.echo({}));
          const own = await middle.echo({}, { headers: { "idempotency-key": "own" } });
          return { text: [seen(), (await middle.echo({})).text, detached.text, own.text, untaken?.text].join(", ") };
        },
      });
      for (const transport of [
        createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
        createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" }),
        createGrpcTransport({ baseUrl: url }),
      ]) {
        const { text } = await createClient(EchoService, transport).echo({}, withKey("k-1"));
        expect(text).toBe("k-1, k-1 none, none none, own none, none");
      }
    });

    test("is refused where it is no key, and not looked at where none is taken", async () => {
      const url = await startEdge({});
      const client = createClient(EchoService, createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
      const error = await failure(client.echo({}, withKey("two words")));
      expect([error.code, errorReason(error)]).toEqual([Code.InvalidArgument, "IDEMPOTENCY_KEY_INVALID"]);
      expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toMatchObject([{ field: "Idempotency-Key" }]);
      expect((await failure(client.echoForUser({}, withKey("two words")))).code).toBe(Code.Unauthenticated);
    });

    test("beside a field that is the key must be the same, in a stream in every message", async () => {
      await world.serve("echo", echoRoutes());
      const echo = await inner("echo");
      expect((await echo.echoAgain({ text: "k-1" }, withKey("k-1"))).text).toBe("k-1");
      expect((await echo.echoAgain({ text: "k-1" })).text).toBe("k-1");
      const error = await failure(echo.echoAgain({ text: "k-2" }, withKey("k-1")));
      expect(error.rawMessage).toBe("Idempotency-Key must be the same as text, or be left out");
      async function* listed() {
        yield { text: "k-1" };
        yield { text: "k-2" };
      }
      expect((await failure(echo.join(listed(), withKey("k-1")))).code).toBe(Code.InvalidArgument);
    });

    test("may be sent by a page of another origin", async () => {
      const url = await startEdge({});
      const { headers } = await fetch(`${url}/weft.echo.v1.EchoService/Echo`, {
        method: "OPTIONS",
        headers: { origin: "https://shop.example", "access-control-request-method": "POST" },
      });
      expect(headers.get("access-control-allow-headers")).toContain("Idempotency-Key");
    });
  },
);
