import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { listenGrpc } from "./grpc-listener.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

test("takes no more connections than it may", async () => {
  await using listener = await listenGrpc(new Server(), anyPort, ServerCredentials.createInsecure(), "ADDR", 2);
  const [first, second] = [await open(listener.port), await open(listener.port)];
  const third = await open(listener.port);
  await once(third, "close");
  expect([first.destroyed, second.destroyed]).toEqual([false, false]);
  first.destroy();
  await expect
    .poll(async () => {
      const next = await open(listener.port);
      const closed = once(next, "close").then(() => "refused");
      const greeted = once(next, "data").then(() => "taken");
      return await Promise.race([closed, greeted]);
    })
    .toBe("taken");
});

test("ends with all its connections, those that say nothing too", async () => {
  const listener = await listenGrpc(new Server(), anyPort, ServerCredentials.createInsecure(), "ADDR");
  const silent = await open(listener.port);
  const closed = once(silent, "close");
  silent.resume();
  await listener[Symbol.asyncDispose]();
  await closed;
});

test("names the address that is taken and the setting that changes it", async () => {
  const credentials = ServerCredentials.createInsecure();
  await using taken = await listenGrpc(new Server(), anyPort, credentials, "ADDR");
  const address = { ...anyPort, port: taken.port };
  await expect(listenGrpc(new Server(), address, credentials, "WEFT_GRPC_ADDR")).rejects.toThrow(
    `cannot listen on 127.0.0.1:${taken.port}: is it in use? WEFT_GRPC_ADDR changes it`,
  );
});
