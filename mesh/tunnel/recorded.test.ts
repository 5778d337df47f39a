import { readFileSync } from "node:fs";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { errorReason } from "../contract/errors.ts";
import { ClientFrameSchema, type ServerFrame, ServerFrameSchema } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import { openTunnel } from "./client-session.ts";
import { serveTunnel } from "./server-session.ts";
import { TestCall, TestServed } from "./testing-ends.ts";
import { createStreamPair, type MemoryEnd } from "./testing-stream.ts";

/**
 * What the two ends of version 1 have said, frame by frame, in base64: never made anew. Whoever changes the wire sees here what a
 * process that still runs the release before says to this one.
 */
const recorded: { readonly client: string[]; readonly server: string[] } = JSON.parse(
  readFileSync(new URL("./recorded/version-1.json", import.meta.url), "utf8"),
);

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Plays one side; the other is this version's. */
async function play(end: MemoryEnd, frames: readonly string[], eachTurn = 3): Promise<void> {
  for (const frame of frames) {
    end.write(Buffer.from(frame, "base64"));
    for (let count = 0; count < eachTurn; count++) await turn();
  }
}

function startServer(end: MemoryEnd) {
  const served: TestServed[] = [];
  const server = serveTunnel<string>(end, {
    resolve: (path) => path,
    accept: (path, received) =>
      new TestServed(path, received, (call) => {
        served.push(call);
        if (call.text !== "wait") server.answer(call, Buffer.from(call.text));
      }),
  });
  return { server, served };
}

function startClient(end: MemoryEnd) {
  const told: string[] = [];
  const client = openTunnel(end, {
    opened: () => void told.push("opened"),
    draining: () => void told.push("draining"),
    closed: (error) => void told.push(`closed ${error?.rawMessage ?? ""}`),
  });
  return { client, told };
}

function answersIn(frames: readonly Buffer[]): ServerFrame["answers"] {
  return frames.flatMap((frame) => fromBinary(ServerFrameSchema, frame).answers);
}

describe("a peer of the tunnel's first release", () => {
  test("as client is understood by this server", async () => {
    const pair = createStreamPair();
    const { served } = startServer(pair.server);
    pair.client.listen({ frame() {}, drained() {}, ended() {}, closed() {} });
    await play(pair.client, recorded.client);
    expect(served.map(({ path, text }) => [path, text])).toEqual([
      ["test.v1.Echo/Say", "hi"],
      ["test.v1.Echo/Other", "wait"],
      ["test.v1.Echo/Say", "fail"],
      ["test.v1.Echo/Say", "large"],
    ]);
    expect(served[0]?.received).toMatchObject({
      timeoutMs: 1_500,
      metadata: ["weft-end-user", "user=usr_1&scope=customer", "x-bin", "AAEC"],
      attempt: 2,
      criticality: 1,
      ...{ trace0: -1, trace1: 2, trace2: -3, trace3: 4, span0: -5, span1: 6, traceFlags: 1 },
    });
    expect(served[1]?.isCancelled).toBe(1);
    const answers = answersIn(pair.client.received).map(({ id, message, status }) => [
      id,
      Buffer.from(message).toString(),
      status?.code,
    ]);
    expect(answers).toEqual([
      [0, "hi", undefined],
      [1, "fail", undefined],
      [2, "large", undefined],
      [0, "", 1],
    ]);
  });

  test("as server is understood by this client", async () => {
    const pair = createStreamPair();
    const { client, told } = startClient(pair.client);
    pair.server.listen({ frame() {}, drained() {}, ended: () => pair.server.end(), closed() {} });
    const [hello, first, ...rest] = recorded.server;
    await play(pair.server, [hello ?? ""]);
    const hi = new TestCall({ text: "hi" });
    client.send(hi);
    await turn();
    await play(pair.server, [first ?? ""]);
    expect(await hi.answer).toMatchObject({ text: "hi", header: ["h", "1"], trailer: ["t", "2", "t", "3"] });
    const [wait, fail, large] = [new TestCall(), new TestCall(), new TestCall()];
    for (const call of [wait, fail, large]) client.send(call);
    client.cancel(wait);
    await turn();
    await play(pair.server, rest);
    const error = await fail.answer.catch((reason) => reason);
    expect([error.code, error.rawMessage, errorReason(error)]).toEqual([5, "no such thing", "GONE"]);
    expect(await large.answer).toMatchObject({ text: "large", large: true });
    await expect.poll(() => told).toEqual(["opened", "draining", "closed "]);
  });
});

describe("a peer of a later release", () => {
  const hello = { versionMin: 1, versionMax: 7, features: 0xffff_ffff, answerBytesMax: 2 ** 32 - 1 };

  test("as client that speaks this version too gets this version", async () => {
    const pair = createStreamPair();
    startServer(pair.server);
    pair.client.listen({ frame() {}, drained() {}, ended() {}, closed() {} });
    const frame = toBinary(ClientFrameSchema, create(ClientFrameSchema, { hello }));
    // A field of the frame, 99, that this release does not know.
    await play(pair.client, [Buffer.concat([frame, Buffer.from([0x9a, 0x06, 2, 1, 2])]).toString("base64")]);
    expect(fromBinary(ServerFrameSchema, pair.client.received[0] ?? Buffer.alloc(0)).hello).toMatchObject({
      version: 1,
      features: 1,
    });
  });

  test("as client that speaks only later ones is refused", async () => {
    const pair = createStreamPair();
    startServer(pair.server);
    pair.client.listen({ frame() {}, drained() {}, ended() {}, closed() {} });
    const frame = toBinary(ClientFrameSchema, create(ClientFrameSchema, { hello: { ...hello, versionMin: 2 } }));
    await play(pair.client, [Buffer.from(frame).toString("base64")]);
    expect(pair.server.endedWith).toMatchObject({ code: 9 });
  });

  test("as server with another version than was offered is left", async () => {
    const pair = createStreamPair();
    const { client, told } = startClient(pair.client);
    const frame = toBinary(ServerFrameSchema, create(ServerFrameSchema, { hello: { version: 2, callsMax: 1 } }));
    await play(pair.server, [Buffer.from(frame).toString("base64")]);
    expect(client.state).toBe("closed");
    expect(told[0]).toContain("version 2, which was not offered");
  });

  test("as server with narrower and wider bounds is kept to the narrower", async () => {
    const pair = createStreamPair();
    const { client } = startClient(pair.client);
    const bounds = { callsMax: 2, requestBytesMax: 2 ** 32 - 1, messageBytesMax: 3, methodsMax: 1 };
    const frame = toBinary(ServerFrameSchema, create(ServerFrameSchema, { hello: { version: 1, ...bounds } }));
    await play(pair.server, [Buffer.from(frame).toString("base64")]);
    const taken = [
      new TestCall({ text: "four" }),
      new TestCall({ text: "thr" }),
      new TestCall({ text: "x", path: "test.v1.Echo/Second" }),
      new TestCall({ text: "x" }),
      new TestCall({ text: "x" }),
    ].map((call) => client.send(call));
    expect(taken).toEqual([false, true, false, true, false]);
  });
});

test("a client that takes no parts is refused an answer that needs them, and served all others", async () => {
  const pair = createStreamPair();
  const { server, served } = startServer(pair.server);
  pair.client.listen({ frame() {}, drained() {}, ended() {}, closed() {} });
  const calls = [{ id: 0, message: Buffer.from("wait") }];
  const frame = toBinary(
    ClientFrameSchema,
    create(ClientFrameSchema, { hello: { versionMin: 1, versionMax: 1 }, methods: [{ path: "a.B/C" }], calls }),
  );
  await play(pair.client, [Buffer.from(frame).toString("base64")]);
  server.answer(served[0] as TestServed, Buffer.alloc(65_537));
  await expect.poll(() => answersIn(pair.client.received)).toMatchObject([{ id: 0, status: { code: 8 } }]);
});
