import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { Code, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { type Span, TraceFlags } from "@opentelemetry/api";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { currentCall } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";
import { type PublicServerOptions, servePublic } from "./public-server.ts";
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

const verify: PublicServerOptions["authenticate"] = async (headers) => {
  const token = headers.get("authorization");
  if (token === null) return undefined;
  if (token !== "Bearer good") throw rpcError(Code.Unauthenticated, "bad token", { reason: "TOKEN_INVALID" });
  return { userId: "usr_1", scopes: ["echo"] };
};

async function start(
  replaced: Parameters<typeof echoRoutes>[0] = {},
  authenticate = verify,
  observed: (telemetry: Telemetry) => Telemetry = (telemetry) => telemetry,
) {
  server = await servePublic({
    address: { host: "127.0.0.1", port: 0 },
    addressSetting: "EDGE_ADDR",
    routes: echoRoutes(replaced),
    telemetry: observed(world.telemetry("edge")),
    authenticate,
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

test("what a caller outside says of its chain of calls is nothing to us", async () => {
  await start({ echo: () => ({ text: `${currentCall()?.attempt} ${currentCall()?.criticality}` }) });
  const response = await post("Echo", "{}", { baggage: "weft-attempt=2,weft-criticality=critical" });
  expect(await response.json()).toEqual({ text: "1 undefined" });
});

test("a trace that the caller names is linked to; the call's own id and sampling are ours", async () => {
  const startSpan = vi.fn<Telemetry["startSpan"]>();
  await start({}, verify, (telemetry) => ({
    ...telemetry,
    startSpan: startSpan.mockImplementation(telemetry.startSpan),
  }));
  const traceId = "a".repeat(32);
  const { headers } = await post("Echo", "{}", { traceparent: `00-${traceId}-${"b".repeat(16)}-00` });
  expect(headers.get("x-request-id")).toMatch(/^(?!a{32})[0-9a-f]{32}$/);
  expect(startSpan.mock.calls[0]?.[1]?.links).toMatchObject([{ context: { traceId } }]);
  const span: Span = startSpan.mock.results[0]?.value;
  expect(span.spanContext()).toMatchObject({ traceId: headers.get("x-request-id"), traceFlags: TraceFlags.SAMPLED });
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

/** A message in the envelope of streams and of gRPC-Web. */
function framed(message: Buffer): Buffer<ArrayBuffer> {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test.each([
  ["Connect", "Echo", "application/proto", (bytes: Buffer) => Buffer.from(bytes), /"code":"invalid_argument"/],
  ["gRPC-Web", "Echo", "application/grpc-web+proto", framed, /grpc-status: 3\r\n/],
  ["a Connect stream", "Repeat", "application/connect+proto", framed, /"code":"invalid_argument"/],
  ["a gRPC-Web stream", "Repeat", "application/grpc-web+proto", framed, /grpc-status: 3\r\n/],
])(
  "a message that is no protobuf is the caller's fault, over %s",
  async (_name, method, contentType, body, expected) => {
    await start();
    const response = await post(method, body(Buffer.from([0x0a, 0xff, 0x01])), { "content-type": contentType });
    const text = await response.text();
    expect(decodeURIComponent(text)).toContain(`the request is not a valid weft.echo.v1.${method}Request message`);
    expect(text).toMatch(expected);
    expect(text).not.toMatch(/parse binary|premature/);
    expect(world.logs.filter(({ level }) => level === "error")).toEqual([]);
  },
);

const noText = {
  toString() {
    throw new Error("secret: this is no text");
  },
} as unknown as string;

test.each([
  ["Connect JSON", "Echo", "application/json", (text: string) => Buffer.from(text)],
  ["Connect", "Echo", "application/proto", () => Buffer.alloc(0)],
  ["gRPC-Web", "Echo", "application/grpc-web+proto", () => framed(Buffer.alloc(0))],
  ["a Connect stream", "Repeat", "application/connect+json", (text: string) => framed(Buffer.from(text))],
])(
  "an answer that is no valid message is told to the log and not to the caller, over %s",
  async (_name, method, contentType, body) => {
    await start({
      echo: () => ({ text: noText }),
      async *repeat() {
        yield { text: noText };
      },
    });
    const response = await post(method, body('{"text":"x"}'), { "content-type": contentType });
    const text = await response.text();
    const id = response.headers.get("x-request-id") ?? /x-request-id: (\w+)/.exec(text)?.[1];
    expect(decodeURIComponent(text)).toContain(`internal error (request id ${id})`);
    expect(text).not.toMatch(/secret|encode|EchoResponse|RepeatResponse/);
    expect(world.logs.filter(({ level }) => level === "error")).toMatchObject([{ trace_id: id }]);
  },
);

test.each([
  ["no Host", "POST /weft.echo.v1.EchoService/Echo HTTP/1.0\r\n"],
  ["a Host that is none", "POST /weft.echo.v1.EchoService/Echo HTTP/1.1\r\nHost: a b%\r\nConnection: close\r\n"],
])("a request with %s is refused and ends nothing but itself", async (_name, head) => {
  await start();
  const socket = connect(server.port, "127.0.0.1");
  socket.write(`${head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`);
  expect(await text(socket)).toMatch(/^HTTP\/1.1 400 .*make no URL/s);
  expect((await post("Echo", "{}")).status).toBe(200);
});

test("a verifier that hangs or throws ends its call and no other", async () => {
  await start({}, (headers) => {
    if (headers.get("x-how") === "hang") return new Promise(() => undefined);
    throw new Error("secret of the verifier");
  });
  expect((await post("Echo", "{}", { "x-how": "hang", "connect-timeout-ms": "100" })).status).toBe(504);
  const thrown = await post("Echo", "{}");
  expect(thrown.status).toBe(500);
  expect(await thrown.text()).toContain(`internal error (request id ${thrown.headers.get("x-request-id")})`);
});

test("a server that drains says so, ends streams, lets calls in hand end, and does not wait for idle connections", async () => {
  const answer = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  await start({
    async echo() {
      reached.resolve();
      await answer.promise;
      return { text: "late" };
    },
    async *repeat({ text }, { signal }) {
      yield { text };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const stream = post("Repeat", framed(Buffer.from('{"text":"x"}')), { "content-type": "application/connect+json" });
  const streamed = (await stream).text();
  const inHand = post("Echo", "{}");
  await reached.promise;
  const startedAt = performance.now();
  const drained = server[Symbol.asyncDispose]();
  expect(await streamed).toContain('"code":"unavailable"');
  expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(503);
  expect((await post("EchoAgain", "{}")).status).toBe(503);
  answer.resolve();
  expect(await (await inHand).json()).toEqual({ text: "late" });
  await drained;
  expect(performance.now() - startedAt).toBeLessThan(2_000);
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

test("a caller who leaves in the middle of an answer is nobody's error", async () => {
  const printed = vi.spyOn(console, "error");
  await start({
    async *repeat({ text }) {
      for (;;) yield { text: text.repeat(50_000) };
    },
  });
  const body = framed(Buffer.from('{"text":"x"}'));
  const socket = connect(server.port, "127.0.0.1");
  socket.write("POST /weft.echo.v1.EchoService/Repeat HTTP/1.1\r\nHost: edge\r\n");
  socket.write(`Content-Type: application/connect+json\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body);
  await once(socket, "data");
  socket.resetAndDestroy();
  await expect.poll(() => world.logs.map(({ code }) => code)).toContain("CANCELLED");
  await expect.poll(() => world.logs.map(({ message }) => message)).toContain("an answer was not delivered");
  expect(printed).not.toHaveBeenCalled();
  expect(world.logs.filter(({ level }) => level !== "debug" && level !== "info")).toEqual([]);
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
  expect((await post("Echo", "{}")).headers.get("vary")).toBe("Origin");
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
