import { createClient } from "@connectrpc/connect";
import { createMesh } from "@weft/mesh/client";
import { createStaticDiscovery } from "@weft/mesh/discovery";
import { loadCredentials } from "@weft/mesh/security";
import { createTelemetry } from "@weft/mesh/telemetry";
import { InventoryService } from "../../../gen/shop/inventory/v1/inventory_pb.ts";

/** An import as large as one likes, always the same for the same numbers. */
export interface LargeImport {
  readonly importId: string;
  readonly skus: readonly string[];
  readonly lineCount: number;
  /** Numbers of the lines that are bad. */
  readonly bad: readonly number[];
}

const batchSize = 1_000;

/** The messages of an import: one unit in each good line, the SKUs in turn. */
export function* importMessages({ importId, skus, lineCount, bad }: LargeImport) {
  const badLines = new Set(bad);
  for (let first = 1; first <= lineCount; first += batchSize) {
    const count = Math.min(batchSize, lineCount - first + 1);
    const lines = Array.from({ length: count }, (_, i) => {
      const sku = skus[(first + i) % skus.length] ?? "";
      return { sku, quantity: badLines.has(first + i) ? 0n : 1n };
    });
    yield { importId, firstLine: BigInt(first), lines };
  }
}

/** Imports from a process of its own, which a test can kill: `node import-client.ts`, the import as JSON in IMPORT. */
async function main(): Promise<void> {
  const { WEFT_CERT_DIR: directory = "", WEFT_TRUST_DOMAIN: trustDomain = "", ADDRESS: address = "" } = process.env;
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service: "inventory", logLevel: "error" }));
  const credentials = resources.use(await loadCredentials({ directory, trustDomain }));
  const discovery = createStaticDiscovery(new Map([["inventory", [{ address }]]]));
  const mesh = resources.use(createMesh({ service: "inventory", credentials, discovery, telemetry }));
  const inventory = createClient(InventoryService, mesh.transport("inventory"));
  const request: LargeImport = JSON.parse(process.env.IMPORT ?? "");
  await inventory.importStock(
    (async function* () {
      yield* importMessages(request);
    })(),
  );
}

if (import.meta.main) await main();
