import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ChannelCredentials, Client, credentials as grpcCredentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCertificateAuthority } from "../../tools/dev/certificates.ts";
import { createGrpcConnector } from "../client/grpc-connector.ts";
import { currentCall } from "../context/call-context.ts";
import { endUserHeader, formatEndUser } from "../context/end-user-header.ts";
import { errorReason, notRunReason, rpcError } from "../contract/errors.ts";
import { pushbackTrailer } from "../contract/pushback.ts";
import { EchoRequestSchema, EchoResponseSchema, EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { Criticality } from "../gen/weft/v1/options_pb.ts";
import { attemptOver } from "../testing/attempts.ts";
import { echoRoutes } from "../testing/echo.ts";
import { failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";
import { openTunnel } from "../tunnel/client-session.ts";
import type { ClientTunnel, TunnelAnswer } from "../tunnel/client-tunnel.ts";
import { entryOf } from "../tunnel/entries.ts";
import { clientStream, tunnelPath } from "../tunnel/grpc-stream.ts";
import { type CallInit, TestCall } from "../tunnel/testing-ends.ts";

type Replaced = Parameters<typeof echoRoutes>[0];

const echoPath = "weft.echo.v1.EchoService/Echo";
/** Takes a text of at most 1,024 characters, in the same field. */
const againPath = "weft.echo.v1.EchoService/EchoAgain";
const asIs = (bytes: Buffer): Buffer => bytes;

let world: World;
let resources: DisposableStack;
beforeEach(async () => {
  world = await createWorld();
  resources = new DisposableStack();
});
afterEach(async () => {
  resources.dispose();
  await world[Symbol.asyncDispose]();
});

/** Opens a tunnel to a server; what the client's end was told is in `told`. */
async function connect(address: string, as?: ChannelCredentials) {
  const credentials = as ?? (await world.credentials("caller")).forClient("echo");
  const client = new Client(address, credentials, { "grpc.ssl_target_name_override": "echo" });
  resources.defer(() => client.close());
  const told: string[] = [];
  const ready = Promise.withResolvers<ConnectError | undefined>();
  const tunnel = openTunnel(clientStream(client.makeBidiStreamRequest(tunnelPath, asIs, asIs)), {
    opened: () => ready.resolve(undefined),
    draining: () => void told.push("draining"),
    closed(error) {
      told.push("closed");
      ready.resolve(error);
    },
  });
  return { tunnel, told, error: await ready.promise };
}

async function start(replaced: Replaced = {}) {
  const { server, address } = await world.serve("echo", echoRoutes(replaced));
  return { server, address, ...(await connect(address)) };
}

function send(tunnel: ClientTunnel, init: CallInit & { readonly say?: string } = {}): TestCall {
  const message = toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: init.say ?? "hello" }));
  const call = new TestCall({ path: echoPath, timeoutMs: 2_000, message, ...init });
  expect(tunnel.send(call)).toBe(true);
  return call;
}

function textOf({ message }: TunnelAnswer): string {
  return fromBinary(EchoResponseSchema, message).text;
}

async function failureOf(call: TestCall): Promise<ConnectError> {
  return ConnectError.from(
    await call.answer.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
}

describe("a call over a tunnel", () => {
  test("reaches its handler with all that surrounds it", async () => {
    const { tunnel } = await start({
      echo(_request, context) {
        const call = currentCall();
        context.responseHeader.set("x-header", "1");
        context.responseTrailer.set("x-trailer", "2");
        const { peer, endUser, attempt, criticality, deadlineMs = 0 } = call ?? {};
        const leftMs = deadlineMs - Date.now();
        const traceparent = context.requestHeader.get("traceparent");
        const own = context.requestHeader.get("x-own");
        return {
          text: JSON.stringify({ peer, endUser, attempt, criticality, inTime: leftMs <= 1_000, traceparent, own }),
        };
      },
    });
    const endUser = { userId: "usr_1", scopes: ["echo"] };
    const call = send(tunnel, {
      timeoutMs: 1_000,
      metadata: [endUserHeader, formatEndUser(endUser), "x-own", "mine"],
      attempt: 2,
      criticality: Criticality.SHEDDABLE,
      trace: [1, 2, 3, 4, 5, 6, 0],
    });
    const answer = await call.answer;
    expect(JSON.parse(textOf(answer))).toEqual({
      peer: "spiffe://test.local/caller",
      endUser,
      attempt: 2,
      criticality: "sheddable",
      inTime: true,
      traceparent: "00-00000001000000020000000300000004-0000000500000006-00",
      own: "mine",
    });
    expect([entryOf(answer.header, "x-header"), entryOf(answer.trailer, "x-trailer")]).toEqual(["1", "2"]);
  });

  test("is authorized by itself: the tunnel's peer is no end user", async () => {
    const { tunnel } = await start();
    const forUser = { path: "weft.echo.v1.EchoService/EchoForUser", message: new Uint8Array() };
    const scoped = ["weft-end-user", formatEndUser({ userId: "usr_1", scopes: ["echo"] })];
    expect((await failureOf(send(tunnel, forUser))).code).toBe(Code.Unauthenticated);
    expect((await send(tunnel, { ...forUser, metadata: scoped }).answer).message.length).toBeGreaterThan(0);
    expect((await failureOf(send(tunnel, forUser))).code).toBe(Code.Unauthenticated);
  });

  test.each([
    ["a broken message", { message: Buffer.from([0xff]) }, Code.InvalidArgument, "MALFORMED_MESSAGE"],
    ["a rule that is broken", { path: againPath, say: "x".repeat(1_025) }, Code.InvalidArgument, "INVALID_FIELD"],
    ["a path that does not exist", { path: "weft.echo.v1.EchoService/Shout" }, Code.Unimplemented, undefined],
    ["a streaming method", { path: "weft.echo.v1.EchoService/Chat" }, Code.Unimplemented, undefined],
  ])("with %s is answered by a status, and the tunnel lives", async (_what, init, code, reason) => {
    const { tunnel } = await start();
    const error = await failureOf(send(tunnel, init));
    expect([error.code, errorReason(error)]).toEqual([code, reason]);
    expect(textOf(await send(tunnel, { say: "still there" }).answer)).toBe("still there");
  });

  test("that fails brings status, details and push-back; what is not ours is INTERNAL", async () => {
    const { tunnel } = await start({
      echo({ text }) {
        if (text === "foreign") throw new Error("secret");
        const call = currentCall();
        if (call) call.retriesSpent = true;
        throw rpcError(Code.Unavailable, "no", { reason: "AWAY", metadata: { part: "7" } });
      },
    });
    const error = await failureOf(send(tunnel));
    expect([error.code, error.rawMessage, errorReason(error)]).toEqual([Code.Unavailable, "no", "AWAY"]);
    expect(error.metadata.get(pushbackTrailer)).toBe("-1");
    expect(await failureOf(send(tunnel, { say: "foreign" }))).toMatchObject({
      code: Code.Internal,
      rawMessage: "internal error",
    });
  });

  test("that takes too long fails at its deadline; one that is cancelled tells its handler", async () => {
    const aborted: string[] = [];
    const { tunnel } = await start({
      echo: ({ text }, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            aborted.push(text);
            reject(signal.reason);
          });
        }),
    });
    expect((await failureOf(send(tunnel, { say: "late", timeoutMs: 50 }))).code).toBe(Code.DeadlineExceeded);
    const left = send(tunnel, { say: "left" });
    await expect.poll(() => tunnel.outstanding).toBe(1);
    tunnel.cancel(left);
    await expect.poll(() => aborted).toEqual(["late", "left"]);
    await expect.poll(() => tunnel.outstanding).toBe(0);
  });
});

test("a peer whose certificate names no service of this mesh opens no tunnel", async () => {
  const { address } = await world.serve("echo", echoRoutes());
  const stranger = await openCertificateAuthority({ directory: world.directory, trustDomain: "evil.local" });
  await stranger.issue("order");
  const [ca, key, cert] = await Promise.all(
    ["ca.pem", "key.pem", "cert.pem"].map((file) => readFile(join(world.directory, "order", file))),
  );
  const ssl = grpcCredentials.createSsl(ca ?? null, key, cert, { checkServerIdentity: () => undefined });
  const { error, tunnel } = await connect(address, ssl);
  expect(error && [error.code, errorReason(error)]).toEqual([Code.Unauthenticated, "PEER_UNKNOWN"]);
  expect(tunnel.state).toBe("closed");
});

test("a server that drains asks for no more calls, ends those in hand, and answers what comes all the same with NOT_RUN", async () => {
  const answer = Promise.withResolvers<void>();
  const { server, tunnel, told, address } = await start({
    async echo({ text }) {
      if (text === "slow") await answer.promise;
      return { text };
    },
  });
  const slow = send(tunnel, { say: "slow" });
  await send(tunnel).answer;
  const drained = server[Symbol.asyncDispose]();
  await expect.poll(() => told).toEqual(["draining"]);
  expect(tunnel.send(new TestCall({ path: echoPath }))).toBe(false);
  const plain = createGrpcConnector(address, "echo", (await world.credentials("late")).forClient("echo"));
  const refused = await failure(attemptOver(plain, EchoService.method.echo, {}, { deadlineMs: Date.now() + 5_000 }));
  plain.close();
  expect([refused.code, errorReason(refused)]).toEqual([Code.Unavailable, notRunReason]);
  answer.resolve();
  expect(textOf(await slow.answer)).toBe("slow");
  await drained;
  await expect.poll(() => told).toEqual(["draining", "closed"]);
});
