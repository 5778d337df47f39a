import { connect, createServer } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { ChannelCredentials, Client, Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { listen } from "../contract/listen.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld } from "../testing/world.ts";
import { asIs, bytesMethod } from "../tunnel/testing-grpc.ts";

const stormCalls = 3_000;
const innocentCalls = 1_000;
const stormTimeoutMs = 30;

/** What became of calls: how many ended with which code; 0 is OK. */
type Outcomes = Map<number, number>;

function count(outcomes: Outcomes, code: number): void {
  outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
}

/** Calls that run into their deadlines, many at a time, and innocent ones beside them. */
async function storm(late: () => Promise<number>, innocent: () => Promise<number>) {
  const lates: Outcomes = new Map();
  const innocents: Outcomes = new Map();
  const callers = (number: number, calls: number, call: () => Promise<number>, outcomes: Outcomes) =>
    Array.from({ length: number }, async () => {
      for (let done = 0; done < calls / number; done++) count(outcomes, await call());
    });
  await Promise.all([...callers(100, stormCalls, late, lates), ...callers(4, innocentCalls, innocent, innocents)]);
  return { lates, innocents };
}

/** A relay that counts the connections that have ended. */
async function startRelay(port: number) {
  let lost = 0;
  const server = createServer((socket) => {
    socket.on("close", () => {
      lost += 1;
    });
    const onward = connect(port, "127.0.0.1");
    socket.pipe(onward).pipe(socket);
    socket.on("error", () => onward.destroy());
    onward.on("error", () => socket.destroy());
  });
  const own = await listen(server, { host: "127.0.0.1", port: 0 }, "RELAY");
  return {
    address: `127.0.0.1:${own}`,
    get lost() {
      return lost;
    },
    [Symbol.dispose]: () => void server.close(),
  };
}

describe(`${stormCalls} calls that run into their deadlines`, () => {
  test("cost a mesh's client no connection and no other call", async () => {
    await using world = await createWorld();
    const { server } = await world.serve("echo", echoRoutes());
    using relay = await startRelay(server.port);
    const mesh = await world.mesh("caller", { echo: [relay.address] });
    const echo = createClient(EchoService, mesh.transport("echo"));
    const codeOf = (answer: Promise<unknown>) =>
      answer.then(
        () => 0,
        (error: unknown) => ConnectError.from(error).code,
      );
    const { lates, innocents } = await storm(
      () => codeOf(echo.echo({ delay: { seconds: 5n } }, { timeoutMs: stormTimeoutMs })),
      () => codeOf(echo.echo({ text: "x" })),
    );
    expect([...lates]).toEqual([[Code.DeadlineExceeded, stormCalls]]);
    expect([...innocents]).toEqual([[0, innocentCalls]]);
    expect(relay.lost).toBe(0);
  });

  test("bring down the connection of bare grpc-js: what the mesh is spared", async () => {
    const server = new Server();
    server.addService(
      { Slow: bytesMethod("/test.Bare/Slow", false), Fast: bytesMethod("/test.Bare/Fast", false) },
      {
        Slow: (_call: unknown, answer: (error: null, bytes: Buffer) => void) =>
          setTimeout(() => answer(null, Buffer.from("x")), 5_000).unref(),
        Fast: (_call: unknown, answer: (error: null, bytes: Buffer) => void) => answer(null, Buffer.from("x")),
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    using relay = await startRelay(port);
    const client = new Client(relay.address, ChannelCredentials.createInsecure());
    const codeOf = (path: string, timeoutMs: number) =>
      new Promise<number>((resolve) => {
        const options = { deadline: Date.now() + timeoutMs };
        client.makeUnaryRequest(path, asIs, asIs, Buffer.from("x"), new Metadata(), options, (error) => {
          resolve(error?.code ?? 0);
        });
      });
    const { lates, innocents } = await storm(
      () => codeOf("/test.Bare/Slow", stormTimeoutMs),
      () => codeOf("/test.Bare/Fast", 1_000),
    );
    const harm = { lates: [...lates], innocents: [...innocents], lost: relay.lost };
    client.close();
    server.forceShutdown();
    expect(harm.lost, JSON.stringify(harm)).toBeGreaterThan(0);
  }, 60_000);
});
