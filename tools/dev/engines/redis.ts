import { mkdir } from "node:fs/promises";
import { startChild } from "../processes/child.ts";
import { dockerArguments } from "./docker.ts";
import type { EngineKind, LaunchOptions } from "./engine.ts";
import { greeting } from "./greeting.ts";

/** Redis, for what may be lost: nothing is written to disk but a dump at a clean stop. */
export const redis: EngineKind = {
  name: "redis",
  urlVariable: "REDIS_URL",
  executable: "redis-server",
  aptPackage: "redis-server",
  image: "redis:7",
  url: (port) => `redis://127.0.0.1:${port}`,
  launch,
  // A PING answered with -LOADING is an engine that is not ready yet; -NOAUTH is one that is.
  probe: async (url) => !(await greeting(url, 6379, "PING\r\n")).startsWith("-LOADING"),
};

async function launch(options: LaunchOptions) {
  const { program, port, directory } = options;
  await mkdir(directory, { recursive: true });
  const inside = program.kind === "image";
  const settings = (host: string, listenPort: number, folder: string) => [
    ...["--bind", host, "--port", String(listenPort), "--dir", folder],
    ...["--daemonize", "no", "--save", "", "--appendonly", "no", "--protected-mode", "no"],
    // What ends soonest goes first: a cached page before a cart.
    ...["--maxmemory", "128mb", "--maxmemory-policy", "volatile-ttl"],
  ];
  const args = inside
    ? dockerArguments({
        program,
        port,
        insidePort: 6379,
        directory,
        insideDirectory: "/data",
        args: ["redis-server", ...settings("0.0.0.0", 6379, "/data")],
      })
    : settings("127.0.0.1", port, directory);
  const command = inside ? program.docker : program.file;
  return startChild({ name: "redis", command, args, env: process.env, logFile: options.logFile });
}
