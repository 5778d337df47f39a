import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort } from "../processes/ports.ts";
import { assertPortsFree } from "./port-conflict.ts";

test("a port in use is named, with who has it and the setting that changes it", async () => {
  const server = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const check = (member: string, what: string) => assertPortsFree([{ member, what, port }]);
  await expect(check("order", "grpc")).rejects.toThrow(`port ${port} of 127.0.0.1, for order grpc, is in use`);
  await expect(check("order", "grpc")).rejects.toThrow(/WEFT_PORT_BASE=17000 make up$/);
  await expect(check("edge", "public")).rejects.toThrow(/EDGE_PORT=18080 make up$/);
  if (process.platform === "linux") await expect(check("edge", "public")).rejects.toThrow(`pid ${process.pid}`);
  await new Promise((resolve) => server.close(resolve));
  await expect(check("edge", "public")).resolves.toBeUndefined();
});
