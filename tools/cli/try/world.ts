import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMesh, type Mesh } from "@weft/mesh/client";
import { createStaticDiscovery } from "@weft/mesh/discovery";
import { loadCredentials } from "@weft/mesh/security";
import { createTelemetry } from "@weft/mesh/telemetry";
import { openCertificateAuthority } from "../../dev/certificates.ts";
import { slowMs } from "./keys.ts";
import { type Replica, startReplicas } from "./replicas.ts";

const trustDomain = "try.local";

/** Two services: a caller, which is this process, and echo, of which there are some replicas. */
export interface TryWorld extends AsyncDisposable {
  readonly replicas: readonly Replica[];
  readonly mesh: Mesh;
}

export interface TryWorldOptions {
  readonly replicas: number;
  /** Told of what the caller logs: of breakers and ejections. A line of JSON. */
  readonly onLog?: (line: string) => void;
}

/** Starts both services. No engine is needed, and nothing is left when it is disposed of. */
export async function startTryWorld({ replicas: count, onLog = () => undefined }: TryWorldOptions): Promise<TryWorld> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-try-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const authority = await openCertificateAuthority({ directory, trustDomain });
  for (const name of ["echo", "caller"]) await authority.ensure(name);
  const replicas = resources.use(await startReplicas({ count, directory, trustDomain, slowMs }));
  const instances = replicas.map(({ address }) => ({ address }));
  const mesh = resources.use(
    createMesh({
      service: "caller",
      credentials: resources.use(await loadCredentials({ directory: join(directory, "caller"), trustDomain })),
      telemetry: resources.use(createTelemetry({ service: "caller", sampleRatio: 0.01, write: onLog })),
      discovery: createStaticDiscovery(new Map([["echo", instances]])),
    }),
  );
  const all = resources.move();
  return { replicas, mesh, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
