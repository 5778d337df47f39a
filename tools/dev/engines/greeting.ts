import { connect } from "node:net";

/**
 * Connects, sends `say` if given, and answers with the first bytes that come back; rejects after a second of silence.
 * `defaultPort` is for a URL without a port.
 */
export function greeting(url: string, defaultPort: number, say?: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: hostname, port: Number(port || defaultPort) });
  socket.setTimeout(1_000, () => reject(new Error(`${hostname}:${port} does not answer`)));
  socket.once("error", reject);
  socket.once("close", () => reject(new Error(`${hostname}:${port} closed the connection`)));
  socket.once("connect", () => {
    if (say !== undefined) socket.write(say);
  });
  socket.once("data", (data) => resolve(data.toString("latin1")));
  return promise.finally(() => socket.destroy());
}
