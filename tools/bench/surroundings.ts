import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCertificateAuthority } from "../dev/certificates.ts";
import { trustDomain } from "./trust-domain.ts";

/** What all peers of a bench need, until it ends. */
export interface Surroundings {
  readonly directory: string;
  /** For the peers' environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** A folder with certificates for the named services, and a collector that takes spans and forgets them. */
export async function prepare(resources: AsyncDisposableStack, services: readonly string[]): Promise<Surroundings> {
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const authority = await openCertificateAuthority({ directory, trustDomain });
  for (const service of services) await authority.ensure(service);
  const collector = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200).end());
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  resources.defer(() => {
    collector.closeAllConnections();
    collector.close();
  });
  const { port } = collector.address() as AddressInfo;
  return { directory, env: { BENCH_CERTIFICATES: directory, BENCH_OTLP_URL: `http://127.0.0.1:${port}` } };
}
