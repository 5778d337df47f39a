import { once } from "node:events";
import { get } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { listenPublic, type PublicListener } from "./public-listener.ts";
import type { HttpRequest, HttpResponse } from "./public-page.ts";

const resources: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const release of resources.splice(0).reverse()) await release();
});

type Limits = Parameters<typeof listenPublic>[0]["limits"];

/** A listener that answers with the version of HTTP it was asked in, or as told. */
async function start(limits: NonNullable<Limits> = {}, onRequest = answerVersion): Promise<PublicListener> {
  const listener = await listenPublic({
    address: { host: "127.0.0.1", port: 0 },
    addressSetting: "ADDR",
    onRequest,
    isEndless: ({ url }) => url === "/endless",
    limits,
  });
  resources.push(() => listener.close());
  return listener;
}

function answerVersion(request: HttpRequest, response: HttpResponse): void {
  response.setHeader("content-type", "text/plain");
  response.end(request.httpVersion);
}

function dial(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  resources.push(() => void socket.destroy());
  return socket;
}

function openHttp2(port: number) {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  resources.push(() => session.destroy());
  return session;
}

async function askHttp1(port: number): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${port}/`)).text();
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

test("speaks HTTP/1.1 and HTTP/2 on one port", async () => {
  const { port } = await start();
  expect(await askHttp1(port)).toBe("1.1");
  expect(await text(openHttp2(port).request({ ":path": "/" }))).toBe("2.0");
});

test("knows HTTP/2 by a preface that comes byte by byte", async () => {
  const { port } = await start();
  const socket = dial(port);
  socket.setNoDelay(true);
  for (const byte of preface) {
    await new Promise((resolve) => socket.write(byte, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.write(emptySettings);
  const [first] = (await once(socket, "data")) as [Buffer];
  // The server's own SETTINGS frame.
  expect(first[3]).toBe(4);
});

test("knows HTTP/1.1 by a request that begins like the preface, and by one that comes in pieces", async () => {
  const { port } = await start();
  for (const pieces of [
    ["P", "OST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"],
    ["PR", "OPFIND / HTTP/1.1\r\n", "host: a\r\n\r\n"],
  ]) {
    const socket = dial(port);
    for (const piece of pieces) {
      await new Promise((resolve) => socket.write(piece, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 200/);
  }
});

test.each([
  ["says nothing", ""],
  ["stops within the preface", preface.slice(0, 10)],
])("hangs up on a caller who %s", async (_name, said) => {
  const { port } = await start({ headersTimeoutMs: 50 });
  const socket = dial(port);
  socket.write(said);
  await once(socket, "close");
});

test("hangs up on a connection in HTTP/2 that nobody uses", async () => {
  const { port } = await start({ idleTimeoutMs: 50 });
  const session = openHttp2(port);
  await once(session, "goaway");
  await once(session, "close");
});

test("bounds the time of a request in HTTP/2, unless its method takes a stream", async () => {
  const { port } = await start({ headersTimeoutMs: 50, requestTimeoutMs: 50 }, (request, response) => {
    if (request.url === "/endless") response.write("go on\n");
  });
  const session = openHttp2(port);
  const endless = session.request({ ":path": "/endless", ":method": "POST" }, { endStream: false });
  await once(endless, "data");
  const slow = session.request({ ":path": "/", ":method": "POST" }, { endStream: false });
  slow.on("error", () => undefined);
  await once(slow, "close");
  expect(slow.rstCode).toBe(constants.NGHTTP2_CANCEL);
  expect(endless.closed).toBe(false);
});

test("lets what is in hand end when it closes, over both versions, and takes nothing new", async () => {
  const inHand: HttpResponse[] = [];
  const { port, close } = await start({}, (_request, response) => void inHand.push(response));
  const first = new Promise<string>((resolve, reject) => {
    get({ port, host: "127.0.0.1" }, (response) => resolve(text(response))).on("error", reject);
  });
  const second = text(openHttp2(port).request({ ":path": "/" }));
  dial(port);
  await expect.poll(() => inHand.length).toBe(2);
  const drained = close();
  await expect(askHttp1(port)).rejects.toThrow();
  for (const response of inHand) response.end("done");
  expect(await Promise.all([first, second])).toEqual(["done", "done"]);
  await drained;
  resources.length = 0;
});

test("cuts off what does not end in time", async () => {
  const { port, close } = await start({ closeTimeoutMs: 50 }, (_request, response) => void response.write("on and on"));
  const stream = openHttp2(port).request({ ":path": "/" });
  stream.on("error", () => undefined);
  await once(stream, "data");
  await close();
});

test("names the setting when its address is taken", async () => {
  const { port } = await start();
  const again = listenPublic({
    address: { host: "127.0.0.1", port },
    addressSetting: "EDGE_ADDR",
    onRequest: answerVersion,
    isEndless: () => false,
  });
  await expect(again).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: is it in use? EDGE_ADDR changes it`);
});
