import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorReason, mayHaveRunReason } from "../contract/errors.ts";
import { ClientFrameSchema, Feature } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import { openTunnel } from "./client-session.ts";
import type { ClientTunnel } from "./client-tunnel.ts";
import { clientStream, tunnelPath } from "./grpc-stream.ts";
import { callsMax } from "./limits.ts";
import { TestCall } from "./testing-ends.ts";
import { openRaw, openUnread, serveGrpcTunnels } from "./testing-grpc.ts";

const hello = { versionMin: 1, versionMax: 1, features: Feature.ANSWER_PARTS, answerBytesMax: 4_194_304 };

function clientFrame(init: MessageInitShape<typeof ClientFrameSchema>): Buffer {
  return Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, init)));
}

interface Opened extends Disposable {
  readonly tunnel: ClientTunnel;
  readonly closed: Promise<ConnectError | undefined>;
}

/** Opens a tunnel over a real socket. Rejects if it closes before it is open. */
async function open(address: string): Promise<Opened> {
  const raw = openRaw(address);
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<ConnectError | undefined>();
  const tunnel = openTunnel(clientStream(raw.call), {
    opened: opened.resolve,
    draining: () => undefined,
    closed(error) {
      opened.reject(error);
      closed.resolve(error);
    },
  });
  await opened.promise;
  return { tunnel, closed: closed.promise, [Symbol.dispose]: () => raw[Symbol.dispose]() };
}

async function say(tunnel: ClientTunnel, text: string): Promise<string> {
  const call = new TestCall({ text });
  if (!tunnel.send(call)) throw new Error("not taken");
  return (await call.answer).text;
}

describe("a tunnel over gRPC", () => {
  test("carries calls of a thousand callers", async () => {
    await using server = await serveGrpcTunnels();
    using opened = await open(server.address);
    const texts = Array.from({ length: 1_000 }, (_, index) => `call ${index}`);
    expect(await Promise.all(texts.map((text) => say(opened.tunnel, text)))).toEqual(texts);
  });

  test("is UNIMPLEMENTED where there is none", async () => {
    await using server = await serveGrpcTunnels();
    server.server.unregister(tunnelPath);
    await expect(open(server.address)).rejects.toMatchObject({ code: Code.Unimplemented });
  });

  test("is UNAVAILABLE where nobody listens", async () => {
    const server = await serveGrpcTunnels();
    await server[Symbol.asyncDispose]();
    await expect(open(server.address)).rejects.toMatchObject({ code: Code.Unavailable });
  });

  test("ends well when its server drains", async () => {
    await using server = await serveGrpcTunnels();
    using opened = await open(server.address);
    await say(opened.tunnel, "hi");
    for (const tunnel of server.tunnels) tunnel.drain();
    expect(await opened.closed).toBeUndefined();
    await expect.poll(() => server.tunnels.size).toBe(0);
  });

  test("ends well when its client drains", async () => {
    await using server = await serveGrpcTunnels();
    using opened = await open(server.address);
    const last = say(opened.tunnel, "last");
    opened.tunnel.drain();
    expect(await last).toBe("last");
    expect(await opened.closed).toBeUndefined();
    await expect.poll(() => server.tunnels.size).toBe(0);
  });

  test("that is cut off fails its calls with what is known of them", async () => {
    await using server = await serveGrpcTunnels(() => undefined);
    using opened = await open(server.address);
    const call = new TestCall();
    opened.tunnel.send(call);
    await expect.poll(() => server.started).toBe(1);
    server.server.forceShutdown();
    const error = await call.answer.then(
      () => undefined,
      (reason) => reason,
    );
    expect([error.code, errorReason(error)]).toEqual([Code.Unavailable, mayHaveRunReason]);
    expect((await opened.closed)?.code).toBe(Code.Unavailable);
  });

  test("whose client is gone cancels its calls", async () => {
    const cancelled: number[] = [];
    await using server = await serveGrpcTunnels((call) => {
      call.cancelled = () => void cancelled.push(1);
    });
    const opened = await open(server.address);
    opened.tunnel.send(new TestCall());
    opened.tunnel.send(new TestCall());
    await expect.poll(() => server.started).toBe(2);
    opened[Symbol.dispose]();
    await expect.poll(() => cancelled).toEqual([1, 1]);
    expect(server.tunnels.size).toBe(0);
  });
});

describe("a peer that breaks the rules", () => {
  test.each<[string, Buffer[], string]>([
    ["garbage", [Buffer.from("GET / HTTP/1.1\r\n\r\n")], "the client broke the rules"],
    ["a call without a hello", [clientFrame({ calls: [{ id: 1 }] })], "no hello"],
    ["an empty frame first", [Buffer.alloc(0)], "no hello"],
    ["a second hello", [clientFrame({ hello }), clientFrame({ hello })], "second hello"],
    ["a length that lies", [clientFrame({ hello }), Buffer.from([0x1a, 0xff, 0xff, 0xff, 0x7f])], "longer than"],
    ["a call of a method that has no name", [clientFrame({ hello, calls: [{ id: 1, method: 7 }] })], "not been named"],
    ["an id above the bound", [namedCalls([{ id: callsMax }])], "above the bound"],
    ["an id twice", [namedCalls([{ id: 1 }, { id: 1 }])], "two calls in flight have the id 1"],
    ["a number twice", [clientFrame({ hello, methods: [{ path: "a" }, { path: "b" }] })], "second method"],
    ["a method's number above the bound", [clientFrame({ hello, methods: [{ number: 4_096 }] })], "above the bound"],
    ["a message above the bound", [namedCalls([{ id: 1, message: new Uint8Array(65_537) }])], "above the bound"],
    ["a frame above the bound", [clientFrame({ hello }), Buffer.alloc(262_145)], "262145 bytes"],
    ["more bytes in flight than the bound", bytesInFlight(129), "have more bytes than the bound"],
  ])("with %s is told so, and nobody else notices", async (_what, frames, message) => {
    await using server = await serveGrpcTunnels((call, tunnel) => {
      if (call.path !== "test.v1.Silent/Method") tunnel.answer(call, call.received.message);
    });
    using good = await open(server.address);
    using bad = openRaw(server.address);
    bad.call.resume();
    for (const frame of frames) bad.call.write(frame);
    const { code, details } = await bad.status;
    expect(code).toBe(Code.InvalidArgument);
    expect(details).toContain(message);
    expect(await say(good.tunnel, "still here")).toBe("still here");
    await expect.poll(() => server.tunnels.size).toBe(1);
  });

  test("with any bytes at all ends with a status, and nobody else notices", async () => {
    await using server = await serveGrpcTunnels();
    using good = await open(server.address);
    const frame = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.concat([clientFrame({ hello }), bytes])),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 5 }), async (frames) => {
        using bad = openRaw(server.address);
        bad.call.resume();
        for (const bytes of frames) bad.call.write(bytes);
        bad.call.end();
        // Bytes that happen to be nothing but unknown fields are no fault.
        expect([Code.InvalidArgument, 0]).toContain((await bad.status).code);
        expect(await say(good.tunnel, "still here")).toBe("still here");
      }),
      { numRuns: 100 },
    );
  });

  test("that speaks only a later version gets FAILED_PRECONDITION", async () => {
    await using server = await serveGrpcTunnels();
    using bad = openRaw(server.address);
    bad.call.resume();
    bad.call.write(clientFrame({ hello: { ...hello, versionMin: 2, versionMax: 3 } }));
    const { code, details } = await bad.status;
    expect(code).toBe(Code.FailedPrecondition);
    expect(details).toContain("versions 2 to 3");
  });

  test("with 100,000 cancels of calls that are not in flight costs nothing and breaks nothing", async () => {
    await using server = await serveGrpcTunnels();
    using good = await open(server.address);
    using bad = openRaw(server.address);
    const answers: Buffer[] = [];
    bad.call.on("data", (frame: Buffer) => void answers.push(frame));
    const cancels = Array.from({ length: 10_000 }, (_, index) => (index * 7_919) % 4_000_000_000);
    bad.call.write(clientFrame({ hello, methods: [{ number: 0, path: "test.v1.Echo/Say" }] }));
    for (let round = 0; round < 10; round++) bad.call.write(clientFrame({ cancels }));
    expect(await say(good.tunnel, "still here")).toBe("still here");
    bad.call.write(clientFrame({ calls: [{ id: 3, message: Buffer.from("me too") }] }));
    await expect.poll(() => Buffer.concat(answers).toString("latin1")).toContain("me too");
  });

  test("that opens calls and never reads is not read any more, and its server keeps little for it", async () => {
    await using server = await serveGrpcTunnels();
    using good = await open(server.address);
    using bad = openUnread(`http://${server.address}`);
    bad.write(clientFrame({ hello, methods: [{ number: 0, path: "test.v1.Echo/Say" }] }));
    const before = process.memoryUsage().rss;
    const message = new Uint8Array(60_000);
    const call = (id: number) => clientFrame({ calls: [{ id: id % callsMax, message }] });
    // Until nothing more leaves: whoever is not read must not be able to go on.
    let id = 0;
    for (let idle = 0; idle < 500 && id < 5_000; idle++) {
      if (bad.waitingBytes() < 100_000) {
        bad.write(call(id++));
        idle = 0;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(id).toBeLessThan(200);
    expect(server.started).toBeLessThan(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    expect(await say(good.tunnel, "still here")).toBe("still here");
  });
});

function namedCalls(calls: { id: number; message?: Uint8Array }[]): Buffer {
  return clientFrame({ hello, methods: [{ number: 0, path: "test.v1.Silent/Method" }], calls });
}

function bytesInFlight(calls: number): Buffer[] {
  const message = new Uint8Array(65_536);
  return Array.from({ length: calls }, (_, id) =>
    id === 0 ? namedCalls([{ id, message }]) : clientFrame({ calls: [{ id, message }] }),
  );
}
