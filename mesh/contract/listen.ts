import type { Server } from "node:net";
import { type Address, formatAddress } from "./settings.ts";

/**
 * Binds a server and returns its port, which differs from the address's only if that is 0.
 *
 * @throws Error naming the address and the setting that changes it
 */
export async function listen(server: Server, address: Address, setting: string): Promise<number> {
  const text = formatAddress(address);
  return await new Promise((resolve, reject) => {
    // Stays: a connection that cannot be accepted later on must not end the process.
    server.on("error", (cause) => {
      reject(new Error(`cannot listen on ${text}: is it in use? ${setting} changes it`, { cause }));
    });
    server.listen(address.port, address.host, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : address.port);
    });
  });
}
