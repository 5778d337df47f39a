import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { createMesh } from "@weft/mesh/client";
import { createStaticDiscovery } from "@weft/mesh/discovery";
import { loadCredentials } from "@weft/mesh/security";
import { createTelemetry } from "@weft/mesh/telemetry";
import type { AddressBook } from "../stack/address-book.ts";
import { TRUST_DOMAIN } from "../stack/environment.ts";
import type { ServiceName } from "../stack/ports.ts";

/** An operator on the mesh: whom every service answers, over mutual TLS. */
export interface Operator extends AsyncDisposable {
  client<Contract extends DescService>(contract: Contract, service: ServiceName): Client<Contract>;
}

export async function createOperator({ services, certs }: AddressBook): Promise<Operator> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service: "operator", write: () => undefined }));
  const directory = join(certs, "operator");
  const credentials = resources.use(await loadCredentials({ directory, trustDomain: TRUST_DOMAIN }));
  const instances = Object.entries(services).map(([name, { grpc }]) => [name, [{ address: grpc }]] as const);
  const discovery = createStaticDiscovery(new Map(instances));
  const mesh = resources.use(createMesh({ service: "operator", credentials, discovery, telemetry }));
  const all = resources.move();
  return {
    client: (contract, service) => createClient(contract, mesh.transport(service)),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
