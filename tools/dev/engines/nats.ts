import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startChild } from "../processes/child.ts";
import { dockerArguments } from "./docker.ts";
import type { EngineKind, LaunchOptions } from "./engine.ts";
import { greeting } from "./greeting.ts";

/** NATS with JetStream on files. 2.9 cannot fsync per write: a process crash loses nothing, a power cut can. */
export const nats: EngineKind = {
  name: "nats",
  urlVariable: "NATS_URL",
  executable: "nats-server",
  aptPackage: "nats-server",
  image: "nats:2.10",
  url: (port) => `nats://127.0.0.1:${port}`,
  launch,
  probe: async (url) => (await greeting(url, 4222)).startsWith("INFO "),
};

async function launch(options: LaunchOptions) {
  const { program, port, directory } = options;
  await mkdir(join(directory, "jetstream"), { recursive: true });
  const inside = program.kind === "image";
  const folder = inside ? "/data" : directory;
  const configFile = join(directory, "nats.conf");
  await writeFile(configFile, configuration(inside ? "0.0.0.0" : "127.0.0.1", inside ? 4222 : port, folder));
  const args = ["--config", join(folder, "nats.conf")];
  return startChild({
    name: "nats",
    command: inside ? program.docker : program.file,
    args: inside
      ? dockerArguments({ program, port, insidePort: 4222, directory, insideDirectory: folder, args })
      : args,
    env: process.env,
    logFile: options.logFile,
  });
}

function configuration(host: string, port: number, folder: string): string {
  return `# Written at each start.
server_name: weft
host: ${JSON.stringify(host)}
port: ${port}
max_payload: 1MB
jetstream {
  store_dir: ${JSON.stringify(join(folder, "jetstream"))}
  max_memory_store: 64MB
  max_file_store: 4GB
}
`;
}
