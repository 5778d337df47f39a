import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import { openCertificateAuthority } from "../../tools/dev/certificates.ts";
import type { TransportChoice } from "../client/edge-settings.ts";
import { createMesh, type Mesh } from "../client/mesh.ts";
import type { Discovery } from "../contract/discovery.ts";
import { createStaticDiscovery } from "../discovery/static.ts";
import type { Credentials } from "../security/credentials.ts";
import { loadCredentials } from "../security/credentials.ts";
import { createInProcessNetwork } from "../server/in-process-network.ts";
import { type Operations, type RunningServer, serve } from "../server/serve.ts";
import { createTelemetry, type Telemetry } from "../telemetry/telemetry.ts";
import { createLocalDiscovery } from "./discovery.ts";

const trustDomain = "test.local";
const anyPort = { host: "127.0.0.1", port: 0 };

/** One service under test: its server and its way to call others. */
export interface TestService {
  readonly server: RunningServer;
  readonly address: string;
  readonly mesh: Mesh;
}

/** Services that know each other, on real sockets or in one process. Disposing of it ends all of them. */
export interface World extends AsyncDisposable {
  /** Log lines of all services, parsed. */
  readonly logs: Record<string, unknown>[];
  /** Certificates of each name. */
  readonly directory: string;
  reissue(name: string): Promise<void>;
  credentials(name: string): Promise<Credentials>;
  telemetry(name: string): Telemetry;
  /** Starts a server. */
  serve(
    name: string,
    routes: (router: ConnectRouter, mesh: Mesh) => void,
    more?: { readonly port?: number; readonly operations?: Operations },
  ): Promise<TestService>;
  /** Ends something else with the world. */
  defer(end: () => void | Promise<void>): void;
  /** A way to call: the services that are running, those too that start later, or the addresses given. */
  mesh(name: string, endpoints?: Record<string, string[]>): Promise<Mesh>;
}

/** Creates a world in which calls take the given way. */
export async function createWorld(way: TransportChoice | "in-process" = "auto"): Promise<World> {
  const resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-world-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const authority = await openCertificateAuthority({ directory, trustDomain });
  const inProcess = way === "in-process" ? createInProcessNetwork() : undefined;
  const discovery = createLocalDiscovery();
  const logs: Record<string, unknown>[] = [];

  const credentials = async (name: string): Promise<Credentials> => {
    await authority.ensure(name);
    return resources.use(await loadCredentials({ directory: join(directory, name), trustDomain }));
  };
  const telemetry = (service: string): Telemetry =>
    resources.use(createTelemetry({ service, logLevel: "debug", write: (line) => void logs.push(JSON.parse(line)) }));
  const mesh: World["mesh"] = async (name, endpoints) => {
    const options = { service: name, credentials: await credentials(name), telemetry: telemetry(name) };
    const found = endpoints ? discoveryOf(endpoints) : discovery;
    const ways = { transport: way === "in-process" ? undefined : way, inProcess: endpoints ? undefined : inProcess };
    return resources.use(createMesh({ ...options, ...ways, discovery: found }));
  };

  const world: World = {
    logs,
    directory,
    credentials,
    telemetry,
    mesh,
    defer: (end) => resources.defer(end),
    reissue: (name) => authority.issue(name),
    async serve(name, routes, { port = 0, operations } = {}) {
      const own = await mesh(name);
      const server = await serve({
        service: name,
        config: {
          grpcAddress: { ...anyPort, port },
          healthAddress: anyPort,
          metricsAddress: anyPort,
          ...(inProcess && { inProcess }),
        },
        discovery,
        routes: (router) => routes(router, own),
        credentials: await credentials(name),
        telemetry: telemetry(name),
        mesh: own,
        ...(operations && { operations }),
      });
      resources.use(server);
      return { server, address: `127.0.0.1:${server.port}`, mesh: own };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
  return world;
}

function discoveryOf(addresses: Record<string, string[]>): Discovery {
  const instances = Object.entries(addresses).map(
    ([name, all]) => [name, all.map((address) => ({ address }))] as const,
  );
  return createStaticDiscovery(new Map(instances));
}
