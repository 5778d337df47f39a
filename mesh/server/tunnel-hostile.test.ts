import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EchoRequestSchema, EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { ClientFrameSchema } from "../gen/weft/tunnel/v1/tunnel_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";
import { tunnelPath } from "../tunnel/grpc-stream.ts";
import { callsMax } from "../tunnel/limits.ts";
import { asIs, openUnread } from "../tunnel/testing-grpc.ts";

const hello = { versionMin: 1, versionMax: 1, features: 1, answerBytesMax: 4_194_304 };
const methods = [{ number: 0, path: "weft.echo.v1.EchoService/Echo" }];
const slow = toBinary(EchoRequestSchema, create(EchoRequestSchema, { delay: { seconds: 60n } }));

function frame(init: MessageInitShape<typeof ClientFrameSchema>): Buffer {
  return Buffer.from(toBinary(ClientFrameSchema, create(ClientFrameSchema, init)));
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a peer with a good certificate and bad manners", () => {
  let world: World;
  let resources: DisposableStack;
  let address: string;
  /** Delays that handlers sit out. */
  let running: number;
  beforeEach(async () => {
    [world, resources, running] = [await createWorld(), new DisposableStack(), 0];
    const routes = echoRoutes({
      async echo({ text, delay }, { signal }) {
        if (delay === undefined) return { text };
        running += 1;
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
        running -= 1;
        return { text };
      },
    });
    address = (await world.serve("echo", routes)).address;
  });
  afterEach(async () => {
    resources.dispose();
    await world[Symbol.asyncDispose]();
  });

  async function open(): Promise<{ call: ClientDuplexStream<Buffer, Buffer>; status: Promise<StatusObject> }> {
    const as = (await world.credentials("bad")).forClient("echo");
    const client = new Client(address, as, { "grpc.ssl_target_name_override": "echo" });
    const call = client.makeBidiStreamRequest(tunnelPath, asIs, asIs, new Metadata());
    const status = new Promise<StatusObject>((resolve) => call.on("status", resolve));
    call.on("error", () => undefined).resume();
    resources.defer(() => {
      call.cancel();
      client.close();
    });
    return { call, status };
  }

  /** Calls of somebody else that must all succeed meanwhile. */
  async function innocents(): Promise<() => Promise<void>> {
    const echo = createClient(EchoService, (await world.mesh("good")).transport("echo"));
    let over = false;
    const calls = (async () => {
      for (let call = 0; !over || call < 50; call++) expect((await echo.echo({ text: "hi" })).text).toBe("hi");
    })();
    return async () => {
      over = true;
      await calls;
    };
  }

  test("who sends garbage is told so", async () => {
    const finish = await innocents();
    for (let round = 0; round < 20; round++) {
      const { call, status } = await open();
      call.write(round % 2 === 0 ? Buffer.from("garbage") : Buffer.concat([frame({ hello }), Buffer.from([0x1a, 9])]));
      expect((await status).code).toBe(Code.InvalidArgument);
    }
    await finish();
  });

  test("who opens calls and cancels them at once has none in hand", async () => {
    const finish = await innocents();
    const { call } = await open();
    call.write(frame({ hello, methods }));
    const ids = Array.from({ length: callsMax }, (_, id) => id);
    let most = 0;
    for (let round = 0; round < 20; round++) {
      call.write(frame({ calls: ids.map((id) => ({ id, message: slow })) }));
      call.write(frame({ cancels: ids }));
      await turn();
      most = Math.max(most, running);
    }
    await finish();
    await expect.poll(() => running).toBe(0);
    expect(most).toBeLessThanOrEqual(callsMax);
  });

  test("who cancels 100,000 calls that there are not is not noticed", async () => {
    const finish = await innocents();
    const { call } = await open();
    const answers: Buffer[] = [];
    call.on("data", (bytes: Buffer) => void answers.push(bytes));
    call.write(frame({ hello, methods }));
    for (let round = 0; round < 10; round++) {
      call.write(frame({ cancels: Array.from({ length: 10_000 }, (_, n) => round * 10_000 + n) }));
    }
    const message = toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "me too" }));
    call.write(frame({ calls: [{ id: 0, message }] }));
    await expect.poll(() => Buffer.concat(answers).toString("latin1")).toContain("me too");
    await finish();
  });

  test("who opens calls and never reads is not read any more", async () => {
    await world.credentials("bad");
    const read = (file: string) => readFile(join(world.directory, "bad", file));
    using bad = openUnread(`https://${address}`, {
      ca: await read("ca.pem"),
      cert: await read("cert.pem"),
      key: await read("key.pem"),
      checkServerIdentity: () => undefined,
    });
    const finish = await innocents();
    bad.write(frame({ hello, methods }));
    const message = toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "x".repeat(60_000) }));
    let id = 0;
    for (let idle = 0; idle < 500 && id < 5_000; idle++) {
      if (bad.waitingBytes() < 100_000) {
        bad.write(frame({ calls: [{ id: id++ % callsMax, message }] }));
        idle = 0;
      }
      await turn();
    }
    await finish();
    expect(id).toBeGreaterThan(1);
    expect(id).toBeLessThan(200);
  });

  test("or without a certificate gets no tunnel", async () => {
    const client = new Client(address, credentials.createInsecure());
    resources.defer(() => client.close());
    const call = client.makeBidiStreamRequest(tunnelPath, asIs, asIs, new Metadata());
    const status = new Promise<StatusObject>((resolve) => call.on("status", resolve));
    call.on("error", () => undefined).resume();
    call.write(frame({ hello }));
    expect((await status).code).toBe(Code.Unavailable);
  });
});
