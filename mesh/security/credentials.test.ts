import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { Client, credentials as grpcCredentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );

test("a server that is not the called service is refused, though its certificate is good", async () => {
  const { address } = await world.serve("echo", echoRoutes());
  const mesh = await world.mesh("caller", { payment: [address] });
  expect(await codeOf(createClient(EchoService, mesh.transport("payment")).echo({}))).toBe(Code.Unavailable);
});

test("a caller without a certificate is refused", async () => {
  const { address } = await world.serve("echo", echoRoutes());
  const client = new Client(address, grpcCredentials.createInsecure());
  const asIs = (bytes: Buffer) => bytes;
  const answer = await new Promise<unknown>((resolve) => {
    const path = "/weft.echo.v1.EchoService/Echo";
    const options = { deadline: Date.now() + 3_000 };
    client.makeUnaryRequest(path, asIs, asIs, Buffer.alloc(0), options, (error) => resolve(error?.code));
  });
  client.close();
  expect(answer).toBe(Code.Unavailable);
});

test("certificates are replaced under load without a failed call, and new connections use the new one", async () => {
  const { address } = await world.serve("echo", echoRoutes());
  const serverCredentials = await world.credentials("echo");
  const mesh = await world.mesh("caller");
  const echo = createClient(EchoService, mesh.transport("echo"));
  let stop = false;
  const failures: unknown[] = [];
  const load = (async () => {
    while (!stop) await echo.echo({ text: "x" }).catch((error: unknown) => failures.push(error));
  })();
  await world.reissue("echo");
  await world.reissue("caller");
  await serverCredentials.reload();
  const fresh = await world.mesh("caller", { echo: [address] });
  await createClient(EchoService, fresh.transport("echo")).echo({});
  stop = true;
  await load;
  expect(failures).toEqual([]);
});

test("a certificate that does not fit its key is refused and the old one stays in use", async () => {
  await world.serve("echo", echoRoutes());
  const credentials = await world.credentials("echo");
  await world.credentials("other");
  await copyFile(join(world.directory, "other", "key.pem"), join(world.directory, "echo", "key.pem"));
  await expect(credentials.reload()).rejects.toThrow("is not the key of cert.pem");
  const echo = createClient(EchoService, (await world.mesh("caller")).transport("echo"));
  expect(await codeOf(echo.echo({}))).toBeUndefined();
});

test("another service's identity is not taken over by a swap of files", async () => {
  const credentials = await world.credentials("echo");
  await world.credentials("other");
  for (const file of ["cert.pem", "key.pem"]) {
    await copyFile(join(world.directory, "other", file), join(world.directory, "echo", file));
  }
  await expect(credentials.reload()).rejects.toThrow("another service's identity");
});

test("a certificate file that is no certificate is named", async () => {
  const credentials = await world.credentials("echo");
  await writeFile(join(world.directory, "echo", "cert.pem"), "not a certificate");
  await expect(credentials.reload()).rejects.toThrow("cert.pem");
});
