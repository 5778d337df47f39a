import { join } from "node:path";
import { type Credentials, loadCredentials } from "../../../mesh/security/credentials.ts";
import { createTelemetry, type Telemetry } from "../../../mesh/telemetry/telemetry.ts";
import { trustDomain } from "../trust-domain.ts";

/** Part of the traces that is recorded, as in production. */
const sampleRatio = 0.01;

/** What a process of the mesh has in production: an identity, logs, metrics and exported spans. */
export async function openService(service: string): Promise<{ credentials: Credentials; telemetry: Telemetry }> {
  const { BENCH_CERTIFICATES = "", BENCH_OTLP_URL } = process.env;
  const telemetry = createTelemetry({ service, otlpUrl: BENCH_OTLP_URL, sampleRatio, logLevel: "warn" });
  const credentials = await loadCredentials({ directory: join(BENCH_CERTIFICATES, service), trustDomain });
  return { credentials, telemetry };
}
