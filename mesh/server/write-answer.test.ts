import { once } from "node:events";
import { connect, constants } from "node:http2";
import { createConnection } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";
import { servePublic } from "./public-server.ts";
import type { RunningServer } from "./serve.ts";

let world: World;
let server: RunningServer;
let made: number;
let ended: boolean;
const text = "x".repeat(50);

beforeEach(async () => {
  world = await createWorld();
  made = 0;
  ended = false;
  server = await servePublic({
    address: { host: "127.0.0.1", port: 0 },
    addressSetting: "EDGE_ADDR",
    routes: echoRoutes({
      async *repeat({ count }) {
        try {
          for (let index = 0; index < count; index += 1) {
            made += 1;
            yield { text };
          }
        } finally {
          ended = true;
        }
      },
    }),
    telemetry: world.telemetry("edge"),
    authenticate: async () => undefined,
    corsOrigins: [],
    isTrustedProxy: () => false,
  });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

const path = "/weft.echo.v1.EchoService/Repeat";
const json = '{"text":"x","count":100000}';
const body = Buffer.concat([Buffer.from([0, 0, 0, 0, json.length]), Buffer.from(json)]);

/** The number, once it has stayed the same for a while. */
async function settled(read: () => number): Promise<number> {
  for (let last = -1; ; ) {
    const now = read();
    if (now === last && now > 0) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("a caller of a stream over HTTP/2 who reads nothing costs two messages, and is forgotten when he leaves", async () => {
  const session = connect(`http://127.0.0.1:${server.port}`, { settings: { initialWindowSize: 0 } });
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: path,
    "content-type": "application/connect+json",
  });
  stream.end(body);
  expect(await settled(() => made)).toBeLessThanOrEqual(2);
  stream.on("error", () => undefined).close(constants.NGHTTP2_CANCEL);
  await expect.poll(() => ended).toBe(true);
  session.destroy();
});

test("a caller of a stream over HTTP/1.1 who reads nothing costs what the system's buffers hold, and is forgotten when he leaves", async () => {
  const socket = createConnection(server.port, "127.0.0.1");
  await once(socket, "connect");
  const head = [
    "POST",
    path,
    "HTTP/1.1\r\nhost: shop\r\ncontent-type: application/connect+json\r\ncontent-length:",
  ].join(" ");
  socket.pause().write(Buffer.concat([Buffer.from(`${head} ${body.length}\r\n\r\n`), body]));
  expect(await settled(() => made)).toBeLessThan(100_000);
  socket.destroy();
  await expect.poll(() => ended).toBe(true);
});

test("a caller who reads gets every message in order", async () => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/connect+json" },
    body: Buffer.concat([Buffer.from([0, 0, 0, 0, json.length - 3]), Buffer.from('{"text":"x","count":100}')]),
  });
  const answer = await response.text();
  expect(answer.split(text).length - 1).toBe(100);
});
