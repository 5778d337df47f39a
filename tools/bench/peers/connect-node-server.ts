import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { answerAsServer } from "./answer.ts";
import { benchRoutes } from "./bench-routes.ts";

answerAsServer(async () => {
  const server = createServer(connectNodeAdapter({ routes: benchRoutes, connect: false, grpcWeb: false }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
});
