import { createServer, type Socket } from "node:net";
import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { listen } from "../contract/listen.ts";
import type { Address } from "../contract/settings.ts";

/** How long a connection without calls may take to close when the server ends; then it is cut. */
const closeTimeoutMs = 1_000;

/** A socket that takes connections for a gRPC server. Disposing of it ends all of them, and the server. */
export interface GrpcListener extends AsyncDisposable {
  readonly port: number;
}

/**
 * Takes connections for a gRPC server on a socket of our own: grpc-js bounds no connections, and cuts them off at its end
 * only while its channelz keeps count of them.
 *
 * @param connectionsMax at a time; further ones are closed at once
 * @throws Error naming the address and the setting that changes it
 */
export async function listenGrpc(
  server: Server,
  address: Address,
  credentials: ServerCredentials,
  setting: string,
  connectionsMax = 1_000,
): Promise<GrpcListener> {
  const injector = server.createConnectionInjector(credentials);
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  listener.maxConnections = connectionsMax;
  const port = await listen(listener, address, setting);
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      server.tryShutdown(() => undefined);
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, closeTimeoutMs);
      await closed;
      clearTimeout(timer);
      server.forceShutdown();
    },
  };
}
