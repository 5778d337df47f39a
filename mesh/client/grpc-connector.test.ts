import { promises } from "node:dns";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type status as Status,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { errorReason, notRunReason } from "../contract/errors.ts";
import { EchoRequestSchema, EchoResponseSchema, EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { attemptOver, plainRequest } from "../testing/attempts.ts";
import { collect, failure } from "../testing/outcome.ts";
import type { Connector } from "./endpoint.ts";
import { createConnections } from "./grpc-connections.ts";
import { createGrpcConnector } from "./grpc-connector.ts";

const asIs = (bytes: Buffer) => bytes;
const serialization = {
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};
const { echo, chat, join } = EchoService.method;
const request = create(EchoRequestSchema);
const answer = Buffer.from(toBinary(EchoResponseSchema, create(EchoResponseSchema, { text: "here" })));

type Unary = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void;
type Bidi = (call: ServerDuplexStream<Buffer, Buffer>) => void;

/** A server that is not ours. */
async function serve(handlers: { Echo?: Unary; Chat?: Bidi; Join?: Bidi }, address = "127.0.0.1:0") {
  const server = new Server();
  const service = "/weft.echo.v1.EchoService";
  const methods = Object.entries(handlers).map(([name]) => {
    const streams = name !== "Echo";
    return [name, { path: `${service}/${name}`, requestStream: streams, responseStream: streams, ...serialization }];
  });
  server.addService(Object.fromEntries(methods), handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { address: address.replace(/\d+$/, String(port)), port, [Symbol.dispose]: () => server.forceShutdown() };
}

async function* nothing() {}

describe("a peer that is not ours", () => {
  let connector: Connector | undefined;
  afterEach(() => connector?.close());
  const connectTo = ({ address }: { address: string }) => {
    connector = createGrpcConnector(address, "echo", credentials.createInsecure());
    return connector;
  };

  test("may end a stream well without headers and messages", async () => {
    using server = await serve({ Chat: (call) => call.end() });
    const { message, header } = await connectTo(server).stream(chat, nothing(), plainRequest);
    expect(await collect(message)).toEqual([]);
    expect([...header]).toEqual([]);
  });

  test("may fail a stream before its headers", async () => {
    using server = await serve({ Chat: (call) => void call.emit("error", { code: 5, details: "no such chat" }) });
    const error = await failure(connectTo(server).stream(chat, nothing(), plainRequest));
    expect([error.code, error.rawMessage]).toEqual([Code.NotFound, "no such chat"]);
  });

  test("may answer what is no message", async () => {
    using server = await serve({ Echo: (_call, callback) => callback(null, Buffer.from([0x0a, 0xff])) });
    expect((await failure(attemptOver(connectTo(server), echo, request))).code).toBe(Code.Internal);
  });

  test("may know no such method, or a status that nobody knows", async () => {
    using server = await serve({
      Echo: (_call, callback) => callback(Object.assign(new Error("what"), { code: 99 as Status })),
    });
    const own = connectTo(server);
    expect((await failure(attemptOver(own, echo, request))).code).toBe(Code.Unknown);
    expect((await failure(own.stream(join, nothing(), plainRequest))).code).toBe(Code.Unimplemented);
  });
});

test("that grpc-js found no connection counts as not run, a peer that says the same of its own call does not", async () => {
  const words = "No connection established. Last error: connect ECONNREFUSED";
  using server = await serve({
    Echo: (_call, callback) => callback(Object.assign(new Error(words), { code: 14 as Status, details: words })),
  });
  const relayed = createGrpcConnector(server.address, "echo", credentials.createInsecure());
  const away = createGrpcConnector("127.0.0.1:1", "echo", credentials.createInsecure());
  const reasons: (string | undefined)[] = [];
  for (const connector of [relayed, away]) {
    reasons.push(errorReason(await failure(attemptOver(connector, echo, request))));
    connector.close();
  }
  expect(reasons).toEqual([undefined, notRunReason]);
});

test("a request that is no valid message is its maker's fault and is not sent", async () => {
  let calls = 0;
  using server = await serve({
    Echo: (_call, callback) => {
      calls += 1;
      callback(null, answer);
    },
  });
  const connector = createGrpcConnector(server.address, "echo", credentials.createInsecure());
  const broken = create(EchoRequestSchema, { delay: { seconds: 0n, nanos: 0.5 } });
  const error = await failure(attemptOver(connector, echo, broken));
  expect([error.code, calls]).toEqual([Code.InvalidArgument, 0]);
  expect(error.rawMessage).toContain("weft.echo.v1.EchoRequest");
  connector.close();
});

test("an address that stands for several instances is called on each in turn, and goes on with those that are left", async () => {
  const called: string[] = [];
  const instance = (name: string) =>
    serve({
      Echo: (_call, callback) => {
        called.push(name);
        callback(null, answer);
      },
    });
  const here = await instance("here");
  using there = await instance("there");
  // What the resolver makes of a name with two addresses.
  const both = `ipv4:${here.address},${there.address}`;
  const connector = createGrpcConnector(both, "echo", credentials.createInsecure());
  const call = () => attemptOver(connector, echo, request);
  await expect.poll(async () => await call().then(() => new Set(called).size)).toBe(2);
  called.length = 0;
  for (let calls = 0; calls < 6; calls++) await call();
  expect(called.toSorted()).toEqual(["here", "here", "here", "there", "there", "there"]);
  here[Symbol.dispose]();
  await expect.poll(async () => await call().then(() => called.slice(-3))).toEqual(["there", "there", "there"]);
  connector.close();
});

test("a name whose instances have all been replaced is looked up again within seconds", async () => {
  const echoing = { Echo: ((_call, callback) => callback(null, answer)) satisfies Unary };
  const old = await serve(echoing);
  using lookup = vi.spyOn(promises, "lookup");
  // Of lookup's forms, the types know only the last one, which answers one address.
  const resolvesTo = (address: string) => lookup.mockResolvedValue([{ address, family: 4 }] as never);
  resolvesTo("127.0.0.1");
  const connector = createGrpcConnector(`catalog.test:${old.port}`, "echo", credentials.createInsecure());
  const call = async () => (await attemptOver(connector, echo, request)).message.text;
  await expect.poll(call).toBe("here");
  using _next = await serve(echoing, `127.0.0.2:${old.port}`);
  resolvesTo("127.0.0.2");
  old[Symbol.dispose]();
  await expect.poll(call).toBe("here");
  expect(lookup).toHaveBeenCalledWith("catalog.test", { all: true });
  connector.close();
});

describe("connections", () => {
  let nowMs: number;
  beforeEach(() => {
    nowMs = 0;
  });
  const clock = { now: () => nowMs, monotonic: () => nowMs };

  test("are replaced before a server ends them; calls in hand stay on the old one until they have ended", async () => {
    const peers: string[] = [];
    const pending: sendUnaryData<Buffer>[] = [];
    using server = await serve({
      Echo: (call, callback) => {
        peers.push(call.getPeer());
        if (peers.length === 1) pending.push(callback);
        else callback(null, answer);
      },
    });
    const connector = createGrpcConnector(server.address, "echo", credentials.createInsecure(), clock);
    const slow = attemptOver(connector, echo, request);
    await expect.poll(() => pending.length).toBe(1);
    nowMs = 3.4 * 60_000;
    await attemptOver(connector, echo, request);
    nowMs = 3.6 * 60_000;
    await attemptOver(connector, echo, request);
    expect(peers[1]).toBe(peers[0]);
    expect(peers[2]).not.toBe(peers[0]);
    pending[0]?.(null, answer);
    expect((await slow).message.text).toBe("here");
    connector.close();
  });

  test("that are replaced are closed with their last call, and all of them with the endpoint", () => {
    const opened: Client[] = [];
    const closed: Client[] = [];
    const connections = createConnections(() => {
      const client = new Client("127.0.0.1:1", credentials.createInsecure());
      const close = client.close.bind(client);
      client.close = () => {
        closed.push(client);
        close();
      };
      opened.push(client);
      return client;
    }, clock);
    const [first, second] = [connections.take(), connections.take()];
    nowMs = 4 * 60_000;
    const third = connections.take();
    expect([opened.length, third.client === first.client, closed.length]).toEqual([2, false, 0]);
    first.release();
    expect(closed).toEqual([]);
    second.release();
    expect(closed).toEqual([first.client]);
    third.release();
    nowMs = 8 * 60_000;
    connections.take();
    expect(closed).toEqual([first.client, third.client]);
    connections.close();
    expect(closed).toEqual(opened);
  });
});
