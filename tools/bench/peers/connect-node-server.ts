import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { answerAsServer } from "./answer.ts";
import { benchRoutes } from "./bench-routes.ts";

answerAsServer(async () => {
  const adapter = connectNodeAdapter({ routes: benchRoutes, connect: false, grpcWeb: false });
  // With Node's default of 10 MB the session ends when 64 calls carry 256 KiB each.
  const server = createServer({ maxSessionMemory: 1_000 }, adapter);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
});
