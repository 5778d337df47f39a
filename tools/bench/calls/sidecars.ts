import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { aptInstall, canInstall } from "../../dev/engines/apt.ts";
import { startChild } from "../../dev/processes/child.ts";
import { findExecutable } from "../../dev/processes/executables.ts";
import { freePort } from "../../dev/processes/ports.ts";
import { waitUntil } from "../../dev/processes/wait.ts";
import { cpuMsOfTree } from "../cpu-time.ts";
import type { Detour } from "../pair.ts";

/** Calls at once, and connections that are kept open: nginx opens one to the next hop for each call in flight. */
const callsMax = 512;

/** Finds nginx, or installs it where that is possible. @throws Error of one line */
export async function locateNginx(say: (line: string) => void): Promise<string> {
  const found = findExecutable("nginx");
  if (found) return found;
  if (await canInstall()) await aptInstall(["nginx-light"], say);
  const installed = findExecutable("nginx");
  if (!installed) throw new Error("nginx is missing: apt-get install nginx-light");
  return installed;
}

export interface SidecarOptions {
  readonly nginx: string;
  readonly directory: string;
  /** Folder of cert.pem, key.pem and ca.pem of both. */
  readonly certificates: string;
}

/** A way to a server by two proxies of its own, as a sidecar mesh has it: gRPC without TLS, mutual TLS between them, without again. */
export function createSidecars(resources: AsyncDisposableStack, options: SidecarOptions): Detour {
  return async (address) => {
    const [inbound, outbound] = [await freePort(), await freePort()];
    const { certificates: folder } = options;
    const tls = (prefix: string): string =>
      `${prefix}certificate ${folder}/cert.pem; ${prefix}certificate_key ${folder}/key.pem;`;
    const nearServer = {
      name: "inbound",
      listen: `listen 127.0.0.1:${inbound} ssl http2; ${tls("ssl_")}
        ssl_client_certificate ${folder}/ca.pem; ssl_verify_client on; ssl_protocols TLSv1.3;`,
      upstream: address,
      pass: "grpc_pass grpc://next;",
    };
    const nearClient = {
      name: "outbound",
      listen: `listen 127.0.0.1:${outbound} http2;`,
      upstream: `127.0.0.1:${inbound}`,
      pass: `grpc_pass grpcs://next; ${tls("grpc_ssl_")} grpc_ssl_protocols TLSv1.3;
        grpc_ssl_trusted_certificate ${folder}/ca.pem; grpc_ssl_verify on; grpc_ssl_name localhost;`,
    };
    const pids: number[] = [];
    for (const [port, proxy] of [[inbound, nearServer] as const, [outbound, nearClient] as const]) {
      pids.push(await startProxy(resources, options, proxy, port));
    }
    return { address: `127.0.0.1:${outbound}`, cpuMs: () => pids.reduce((sum, pid) => sum + cpuMsOfTree(pid), 0) };
  };
}

interface Proxy {
  readonly name: string;
  readonly listen: string;
  readonly upstream: string;
  readonly pass: string;
}

/** Starts one nginx and waits until it listens; answers with its pid. */
async function startProxy(
  resources: AsyncDisposableStack,
  { nginx, directory }: SidecarOptions,
  proxy: Proxy,
  port: number,
): Promise<number> {
  const prefix = join(directory, proxy.name);
  await mkdir(prefix, { recursive: true });
  const file = join(prefix, "nginx.conf");
  await writeFile(file, configuration(prefix, proxy));
  const child = await startChild({
    name: proxy.name,
    command: nginx,
    args: ["-p", prefix, "-c", file, "-e", join(prefix, "error.log")],
    env: process.env,
    logFile: join(prefix, "output.log"),
  });
  resources.defer(() => child.stop());
  await waitUntil(() => listens(port), { what: `nginx on port ${port}`, timeoutMs: 5_000 });
  return child.pid;
}

function configuration(prefix: string, { listen, upstream, pass }: Proxy): string {
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${prefix}/${name};`)
    .join(" ");
  return `daemon off; worker_processes 1; pid ${prefix}/pid; error_log ${prefix}/error.log warn;
events { worker_connections ${callsMax * 4}; }
http {
  access_log off; ${folders}
  http2_max_concurrent_streams ${callsMax}; keepalive_requests 1000000000; client_max_body_size 4m;
  client_body_buffer_size 512k; grpc_buffer_size 512k;
  upstream next { server ${upstream}; keepalive ${callsMax}; keepalive_requests 1000000000; }
  server { ${listen}
    location / { ${pass} }
  }
}
`;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => resolve(true));
    socket.on("error", () => resolve(false)).on("close", () => resolve(false));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once("connect", () => socket.destroy());
  });
}
