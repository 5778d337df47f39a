import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the range from which systems take the ports of outgoing connections (32768 on Linux, 49152 elsewhere): an engine
// that is stopped for ten seconds must find its port again, and a client that reconnects meanwhile must not, by chance,
// connect to itself.
const FREE_PORT_MIN = 15_000;
const FREE_PORT_MAX = 32_000;
const ATTEMPTS_MAX = 200;

/** A TCP port on 127.0.0.1 that nobody listens on right now. */
export async function freePort(random: (min: number, max: number) => number = randomInt): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = random(FREE_PORT_MIN, FREE_PORT_MAX);
    if (await isPortFree(port)) return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${FREE_PORT_MIN} and ${FREE_PORT_MAX}`);
}

/** Whether a process of ours could listen on this port of 127.0.0.1 now. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(true));
  });
  if (free) await new Promise<void>((resolve) => server.close(() => resolve()));
  return free;
}
