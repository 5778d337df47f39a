import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { freePort } from "../dev/processes/ports.ts";
import { type Link, startLink } from "./proxy.ts";

const resources: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of resources.splice(0).toReversed()) await end();
});

/** A server that answers each chunk with it in capitals, and remembers what it was asked. */
async function startShouter() {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay(true).on("error", () => undefined));
    socket.on("data", (chunk) => {
      asked.push(chunk.toString());
      socket.write(chunk.toString().toUpperCase());
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  resources.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, asked };
}

async function startWorld() {
  const shouter = await startShouter();
  const link = await startLink({ name: "a>b", port: await freePort(), targetPort: shouter.port });
  resources.push(() => link[Symbol.asyncDispose]());
  return { ...shouter, link };
}

/** A client that sends and waits for so many characters, or for the connection's end. */
function dial(link: Link) {
  const socket = connect({ host: "127.0.0.1", port: link.port }).setNoDelay(true);
  resources.push(() => socket.destroy());
  let heard = "";
  let ended = "";
  socket.on("data", (chunk) => {
    heard += chunk;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    ended = error.code ?? "";
  });
  return {
    send: (text: string) => socket.write(text),
    heard: () => heard,
    ended: () => ended,
    until: (text: string) => expect.poll(() => heard, { interval: 5 }).toBe(text),
    gone: () => expect.poll(() => ended || (socket.closed && "closed"), { interval: 5 }).toBeTruthy(),
    end: () => socket.end(),
    closed: () => (socket.closed ? undefined : once(socket, "close")),
  };
}

test("a link passes both ways, counts exchanges, and ends what the client ends", async () => {
  const { link } = await startWorld();
  const client = dial(link);
  client.send("one");
  await client.until("ONE");
  client.send("two");
  await client.until("ONETWO");
  expect(link.counts()).toEqual({ connections: 1, waiting: 0, exchanges: 2, hits: 0 });
  client.end();
  await client.closed();
  await expect.poll(() => link.counts().connections).toBe(0);
});

test("latency delays each way, in order, and nothing overtakes after it is healed", async () => {
  const { link } = await startWorld();
  const client = dial(link);
  client.send("a");
  await client.until("A");
  await link.set({ kind: "latency", delayMs: 60 });
  const startedAt = performance.now();
  client.send("b");
  await expect.poll(() => link.counts().hits, { interval: 5 }).toBe(1);
  await link.set({ kind: "pass" });
  client.send("c");
  await client.until("ABC");
  expect(performance.now() - startedAt).toBeGreaterThan(55);
});

test("reset cuts exchanges that wait, and new connections with their first request", async () => {
  const { link, asked } = await startWorld();
  const waiting = dial(link);
  await link.set({ kind: "oneWay" });
  waiting.send("a");
  await expect.poll(() => asked).toEqual(["a"]);
  expect(link.counts().waiting).toBe(1);
  await link.set({ kind: "reset" });
  await waiting.gone();
  expect(waiting.ended()).toBe("ECONNRESET");
  const next = dial(link);
  next.send("b");
  await next.gone();
  expect(next.ended()).toBe("ECONNRESET");
  expect(asked).toEqual(["a"]);
  expect(link.counts().hits).toBe(2);
  await link.set({ kind: "pass" });
  const healed = dial(link);
  healed.send("c");
  await healed.until("C");
});

test("a blackhole holds requests and replies until it is healed", async () => {
  const { link, asked } = await startWorld();
  const client = dial(link);
  client.send("a");
  await client.until("A");
  await link.set({ kind: "blackhole" });
  client.send("b");
  const late = dial(link);
  late.send("c");
  await expect.poll(() => link.counts().hits).toBe(2);
  expect(asked).toEqual(["a"]);
  await link.set({ kind: "pass" });
  await client.until("AB");
  await late.until("C");
});

test("a blackhole's buffers are bounded: the sender has to wait", async () => {
  const { link } = await startWorld();
  await link.set({ kind: "blackhole" });
  const socket = connect({ host: "127.0.0.1", port: link.port });
  resources.push(() => socket.destroy());
  await once(socket, "connect");
  const bytes = 32 * 1024 * 1024;
  socket.write(Buffer.alloc(bytes));
  let taken = -1;
  // What the kernel's buffers and the link take, until that grows no more.
  await expect
    .poll(
      () => {
        const before = taken;
        taken = bytes - socket.writableLength;
        return taken === before && link.counts().hits === 1;
      },
      { interval: 100 },
    )
    .toBe(true);
  expect(socket.writableLength).toBeGreaterThan(bytes / 2);
});

test("one way: the request arrives, its reply does not, and the connection is reset when healed", async () => {
  const { link, asked } = await startWorld();
  const client = dial(link);
  await link.set({ kind: "oneWay" });
  client.send("a");
  await expect.poll(() => asked).toEqual(["a"]);
  await expect.poll(() => link.counts().hits).toBe(1);
  await link.set({ kind: "pass" });
  await client.gone();
  expect(client.heard()).toBe("");
});

test("the nth fitting exchange loses its reply after the request has passed, and only that", async () => {
  const { link, asked } = await startWorld();
  const client = dial(link);
  await link.set({ kind: "replyLost", nth: 2, fits: (request) => request.includes("commit") });
  for (const [request, sofar] of [
    ["commit", "COMMIT"],
    ["select", "COMMITSELECT"],
  ] as const) {
    client.send(request);
    await client.until(sofar);
  }
  client.send("commit");
  await client.gone();
  expect(client.heard()).toBe("COMMITSELECT");
  expect(asked).toEqual(["commit", "select", "commit"]);
  expect(link.counts().hits).toBe(1);
  expect(link.mode()).toEqual({ kind: "pass" });
  const next = dial(link);
  next.send("commit");
  await next.until("COMMIT");
});

test("several exchanges may lose their replies, each on its own connection", async () => {
  const { link, asked } = await startWorld();
  await link.set({ kind: "replyLost", times: 2 });
  for (const request of ["a", "b"]) {
    const client = dial(link);
    client.send(request);
    await client.gone();
  }
  const next = dial(link);
  next.send("c");
  await next.until("C");
  expect(asked).toEqual(["a", "b", "c"]);
  expect(link.counts().hits).toBe(2);
});

test("closed: connections are refused until it is healed", async () => {
  const { link } = await startWorld();
  const client = dial(link);
  client.send("a");
  await client.until("A");
  await link.set({ kind: "closed" });
  await client.gone();
  const refused = dial(link);
  await refused.gone();
  expect(refused.ended()).toBe("ECONNREFUSED");
  await link.set({ kind: "pass" });
  const healed = dial(link);
  healed.send("b");
  await healed.until("B");
});

test("a target that is away resets the client", async () => {
  const link = await startLink({ name: "a>b", port: await freePort(), targetPort: await freePort() });
  resources.push(() => link[Symbol.asyncDispose]());
  const client = dial(link);
  await client.gone();
  expect(client.ended()).toBe("ECONNRESET");
});
