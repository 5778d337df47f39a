import { Code, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { currentCall } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";
import { servePublic } from "./public-server.ts";
import type { RunningServer } from "./serve.ts";

let world: World;
let server: RunningServer;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function start(replaced: Parameters<typeof echoRoutes>[0] = {}) {
  server = await servePublic({
    service: "edge",
    address: { host: "127.0.0.1", port: 0 },
    addressSetting: "EDGE_ADDR",
    routes: echoRoutes(replaced),
    telemetry: world.telemetry("edge"),
    authenticate: async (headers) => {
      const token = headers.get("authorization");
      if (token === null) return undefined;
      if (token !== "Bearer good") throw rpcError(Code.Unauthenticated, "bad token", { reason: "TOKEN_INVALID" });
      return { userId: "usr_1", scopes: ["echo"] };
    },
    corsOrigins: ["https://shop.example"],
    isTrustedProxy: (address) => address === "127.0.0.1",
    pages: ({ path }) => {
      if (path === "/broken") throw new Error("SELECT * FROM pages");
      if (path !== "/page") return undefined;
      return { status: 200, headers: { "content-type": "text/plain", etag: '"v1"' }, body: "hello\n" };
    },
  });
}

function post(method: string, body: string | Buffer<ArrayBuffer>, headers: Record<string, string> = {}) {
  return fetch(`http://127.0.0.1:${server.port}/weft.echo.v1.EchoService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
}

test("answers JSON, with the id under which logs and traces know the call", async () => {
  await start();
  const response = await post("Echo", '{"text":"hi","unknownField":1}');
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ text: "hi" });
  expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
});

test("a call goes through the pipeline: token, scopes, rules", async () => {
  await start();
  expect((await post("EchoForUser", "{}")).status).toBe(401);
  expect((await post("EchoForUser", "{}", { authorization: "Bearer bad" })).status).toBe(401);
  const good = await post("EchoForUser", "{}", { authorization: "Bearer good" });
  expect(await good.json()).toEqual({ userId: "usr_1" });
  const long = await post("EchoAgain", JSON.stringify({ text: "x".repeat(2000) }));
  expect(long.status).toBe(400);
  expect(await long.json()).toMatchObject({ code: "invalid_argument", message: expect.stringMatching(/^text: /) });
});

test("believes no end user that the outside names itself", async () => {
  await start();
  expect((await post("EchoForUser", "{}", { "weft-end-user": "user=usr_1&scope=echo" })).status).toBe(401);
});

test("an error of ours shows an id and nothing else", async () => {
  await start({
    echo: () => {
      throw new Error("SELECT * FROM secrets at 10.0.0.7");
    },
    echoAgain: () => {
      throw rpcError(Code.Unavailable, "connect ECONNREFUSED 127.0.0.1:7140", { reason: "X", retryDelayMs: 10 });
    },
  });
  for (const [method, status] of [
    ["Echo", 500],
    ["EchoAgain", 503],
  ] as const) {
    const response = await post(method, "{}");
    const text = await response.text();
    expect(response.status).toBe(status);
    expect(text).not.toMatch(/SELECT|ECONNREFUSED|127\.0\.0\.1|"X"| at /);
    const id = response.headers.get("x-request-id");
    expect(text).toContain(id);
    expect(world.logs.some(({ trace_id }) => trace_id === id)).toBe(true);
  }
});

test.each([
  ["a body that is no JSON", "{", "application/json", 400],
  ["a field of the wrong type", '{"text":7}', "application/json", 400],
  ["a body of 2 MB", JSON.stringify({ text: "x".repeat(2_000_000) }), "application/json", 429],
  ["a wrong content type", "{}", "text/plain", 415],
  ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), "application/json", 400],
])("%s is the caller's fault", async (_name, body, contentType, status) => {
  await start();
  const response = await post("Echo", body, { "content-type": contentType });
  expect(response.status).toBe(status);
  expect(world.logs.filter(({ level }) => level === "error")).toEqual([]);
});

test("the caller's deadline is kept", async () => {
  await start({ echo: () => new Promise(() => undefined) });
  const response = await post("Echo", "{}", { "connect-timeout-ms": "80" });
  expect(response.status).toBe(504);
});

test("a caller who goes away cancels the handler", async () => {
  let signal: AbortSignal | undefined;
  await start({
    echo: () => {
      signal = currentCall()?.signal;
      return new Promise(() => undefined);
    },
  });
  const abort = new AbortController();
  const url = `http://127.0.0.1:${server.port}/weft.echo.v1.EchoService/Echo`;
  const headers = { "content-type": "application/json" };
  const call = fetch(url, { method: "POST", body: "{}", headers, signal: abort.signal }).catch(() => undefined);
  await expect.poll(() => signal).toBeDefined();
  abort.abort();
  await call;
  await expect.poll(() => signal?.aborted).toBe(true);
});

test("only the pages of known origins may call", async () => {
  await start();
  const preflight = (origin: string) =>
    fetch(`http://127.0.0.1:${server.port}/weft.echo.v1.EchoService/Echo`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST" },
    });
  const known = await preflight("https://shop.example");
  expect(known.status).toBe(204);
  expect(known.headers.get("access-control-allow-origin")).toBe("https://shop.example");
  expect(known.headers.get("access-control-allow-headers")).toContain("Authorization");
  const unknown = await preflight("https://evil.example");
  expect(unknown.status).toBe(403);
  expect(unknown.headers.get("access-control-allow-origin")).toBeNull();
});

test("says that it is well, and what it does not serve", async () => {
  await start();
  expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(200);
  const other = await fetch(`http://127.0.0.1:${server.port}/nothing`);
  expect(other.status).toBe(404);
  expect(await other.json()).toMatchObject({ code: "not_found" });
});

test.each([
  ["gRPC", createGrpcTransport],
  ["gRPC-Web", createGrpcWebTransport],
  ["Connect", createConnectTransport],
])("speaks %s over HTTP/2 without TLS, streams both ways too", async (_name, createTransport) => {
  await start();
  const sessionManager = new Http2SessionManager(`http://127.0.0.1:${server.port}`);
  const transport = createTransport({ baseUrl: sessionManager.authority, httpVersion: "2", sessionManager });
  const client = createClient(EchoService, transport);
  expect((await client.echo({ text: "hi" })).text).toBe("hi");
  const texts: string[] = [];
  const said = (async function* () {
    yield { text: "one" };
    yield { text: "two" };
  })();
  for await (const { text } of client.chat(said)) texts.push(text);
  expect(texts).toEqual(["one", "two"]);
  await expect(client.echoForUser({})).rejects.toMatchObject({ code: Code.Unauthenticated });
  sessionManager.abort();
});

test("knows the caller's address from our own proxy, in the call and in the log", async () => {
  let address: string | undefined;
  await start({
    echo: () => {
      address = currentCall()?.clientAddress;
      throw new Error("broken");
    },
  });
  await post("Echo", "{}", { "x-forwarded-for": "198.51.100.1, 203.0.113.9" });
  expect(address).toBe("203.0.113.9");
  expect(world.logs.find(({ level }) => level === "error")).toMatchObject({ client_address: "203.0.113.9" });
});

describe("pages", () => {
  const ask = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${server.port}${path}`, init);

  test("are served beside the methods, to GET and HEAD", async () => {
    await start();
    const page = await ask("/page");
    expect([page.status, await page.text(), page.headers.get("content-length")]).toEqual([200, "hello\n", "6"]);
    const head = await ask("/page", { method: "HEAD" });
    expect([head.status, await head.text(), head.headers.get("content-length")]).toEqual([200, "", "6"]);
    expect((await ask("/page", { method: "POST" })).status).toBe(404);
  });

  test("are not sent to who has them", async () => {
    await start();
    for (const tag of ['"v1"', 'W/"v1"', '"v0", "v1"', "*"]) {
      const page = await ask("/page", { headers: { "if-none-match": tag } });
      expect([page.status, await page.text(), page.headers.get("etag")]).toEqual([304, "", '"v1"']);
    }
    expect((await ask("/page", { headers: { "if-none-match": '"v0"' } })).status).toBe(200);
  });

  test("that break say nothing of it outside", async () => {
    await start();
    const page = await ask("/broken");
    expect([page.status, await page.text()]).toEqual([500, "internal error\n"]);
    expect(world.logs.find(({ level }) => level === "error")).toMatchObject({ path: "/broken" });
  });
});
