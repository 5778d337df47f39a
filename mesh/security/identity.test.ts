import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { Client, credentials as grpcCredentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCertificateAuthority } from "../../tools/dev/certificates.ts";
import { createGrpcConnector } from "../client/grpc-connector.ts";
import { runAs } from "../context/call-context.ts";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
} from "../gen/grpc/health/v1/health_pb.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { attemptOver } from "../testing/attempts.ts";
import { echoRoutes } from "../testing/echo.ts";
import { failure } from "../testing/outcome.ts";
import { createWorld, type World } from "../testing/world.ts";

const asIs = (bytes: Buffer) => bytes;

function callRaw(client: Client, path: string, metadata = new Metadata()): Promise<Buffer | ServiceError> {
  return new Promise((resolve) => {
    const request = Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema)));
    const options = { deadline: Date.now() + 5_000 };
    client.makeUnaryRequest(path, asIs, asIs, request, metadata, options, (error, answer) => {
      resolve(error ?? answer ?? Buffer.alloc(0));
    });
  });
}

describe.each(["tunnel", "grpc", "in-process"] as const)("an end user over %s", (way) => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld(way);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  test("is who the context says, whatever header a caller hands on", async () => {
    await world.serve("echo", echoRoutes());
    const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
    const headers = { "weft-end-user": "user=usr_forged&scope=echo", "Weft-End-User": "user=usr_forged&scope=echo" };
    expect((await failure(echo.echoForUser({}, { headers }))).code).toBe(Code.Unauthenticated);
    const real = { userId: "usr_real", scopes: ["echo"] };
    expect((await runAs({ endUser: real }, () => echo.echoForUser({}, { headers }))).userId).toBe("usr_real");
  });
});

describe("a peer", () => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  test("whose certificate is of another trust domain is refused, though our authority has signed it", async () => {
    const { address } = await world.serve("echo", echoRoutes());
    const stranger = await openCertificateAuthority({ directory: world.directory, trustDomain: "evil.local" });
    await stranger.issue("order");
    const [ca, key, cert] = await Promise.all(
      ["ca.pem", "key.pem", "cert.pem"].map((file) => readFile(join(world.directory, "order", file))),
    );
    const ssl = grpcCredentials.createSsl(ca, key, cert, { checkServerIdentity: () => undefined });
    const connector = createGrpcConnector(address, "echo", ssl);
    const limits = { deadlineMs: Date.now() + 5_000, endUser: { userId: "usr_1", scopes: ["echo"] } };
    const call = attemptOver(connector, EchoService.method.echoForUser, {}, limits);
    const error = await failure(call);
    connector.close();
    expect([error.code, error.rawMessage]).toEqual([
      Code.Unauthenticated,
      "your certificate names no service of this mesh",
    ]);
  });
});

describe("the port for probes", () => {
  test("answers health and nothing else", async () => {
    await using world = await createWorld();
    await world.serve("echo", echoRoutes());
    const port = world.logs.find(({ message }) => message === "serving")?.health_port;
    const client = new Client(`127.0.0.1:${port}`, grpcCredentials.createInsecure());
    const health = await callRaw(client, "/grpc.health.v1.Health/Check");
    if (!(health instanceof Buffer)) throw health;
    expect(fromBinary(HealthCheckResponseSchema, health).status).toBe(Status.SERVING);
    const metadata = new Metadata();
    metadata.set("weft-end-user", "user=usr_1&scope=echo");
    for (const path of [
      "/weft.echo.v1.EchoService/EchoForUser",
      "/weft.admin.v1.AdminService/GetProcess",
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ]) {
      expect(await callRaw(client, path, metadata)).toMatchObject({ code: Code.Unimplemented });
    }
    client.close();
  });
});
