import {
  type Address,
  type Env,
  formatAddress,
  parseAddress,
  readAddress,
  readList,
  readString,
  readUrl,
  SettingError,
} from "../contract/settings.ts";
import type { StatementHook } from "../contract/statement-hook.ts";
import { type LogLevel, logLevels } from "../telemetry/logger.ts";
import type { InProcessNetwork } from "./in-process-network.ts";

/** What every service of the mesh is told by its environment. */
export interface MeshConfig {
  /** Where other services call this one (mutual TLS). */
  readonly grpcAddress: Address;
  /** Where probes ask for health (plaintext, nothing else is served there). */
  readonly healthAddress: Address;
  /** Where Prometheus collects. */
  readonly metricsAddress: Address;
  readonly credentials: { readonly directory: string; readonly trustDomain: string };
  /** Addresses of other services, by name. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
  readonly telemetry: {
    readonly otlpUrl: string | undefined;
    readonly logLevel: LogLevel;
    /** Part of the traces that is recorded, 0 to 1, where no caller has decided; all if left out. */
    readonly sampleRatio?: number | undefined;
  };
  /** Set where several services share a process; never by the environment. */
  readonly inProcess?: InProcessNetwork;
  /** For createDatabase. Set by a harness that starts a service; never by the environment. */
  readonly onStatement?: StatementHook;
}

/** Reads the mesh's settings. @throws SettingError naming the setting */
export function loadMeshConfig(env: Env): MeshConfig {
  return {
    grpcAddress: readAddress(env, "WEFT_GRPC_ADDR"),
    healthAddress: readAddress(env, "WEFT_HEALTH_ADDR"),
    metricsAddress: readAddress(env, "WEFT_METRICS_ADDR"),
    credentials: {
      directory: readString(env, "WEFT_CERT_DIR"),
      trustDomain: readString(env, "WEFT_TRUST_DOMAIN", "weft.local"),
    },
    endpoints: readEndpoints(env),
    telemetry: {
      otlpUrl: env.OTEL_EXPORTER_OTLP_ENDPOINT
        ? readUrl(env, "OTEL_EXPORTER_OTLP_ENDPOINT", ["http:", "https:"])
        : undefined,
      logLevel: readLogLevel(env),
      sampleRatio: readSampleRatio(env),
    },
  };
}

/** WEFT_ENDPOINTS: "catalog=127.0.0.1:7120,inventory=127.0.0.1:7130|127.0.0.1:7230" */
function readEndpoints(env: Env): ReadonlyMap<string, readonly string[]> {
  const endpoints = new Map<string, readonly string[]>();
  for (const entry of readList(env, "WEFT_ENDPOINTS")) {
    const [name, addresses, ...rest] = entry.split("=");
    if (!name || !addresses || rest.length > 0) {
      throw new SettingError(`WEFT_ENDPOINTS: "${entry}" is not name=host:port or name=host:port|host:port`);
    }
    const parsed = addresses.split("|").map((address) => formatAddress(parseAddress("WEFT_ENDPOINTS", address)));
    if (endpoints.has(name)) throw new SettingError(`WEFT_ENDPOINTS names ${name} twice: join its addresses with |`);
    endpoints.set(name, parsed);
  }
  return endpoints;
}

function readLogLevel(env: Env): LogLevel {
  const text = readString(env, "LOG_LEVEL", "info");
  const level = logLevels.find((candidate) => candidate === text);
  if (level === undefined) throw new SettingError(`LOG_LEVEL=${text} is none of ${logLevels.join(", ")}`);
  return level;
}

/** By OpenTelemetry's own name; its sampler is always "parentbased_traceidratio" here. */
function readSampleRatio(env: Env): number | undefined {
  const text = env.OTEL_TRACES_SAMPLER_ARG;
  if (!text) return undefined;
  const ratio = /^[\d.]+$/.test(text) ? Number(text) : Number.NaN;
  if (!(ratio >= 0 && ratio <= 1))
    throw new SettingError(`OTEL_TRACES_SAMPLER_ARG=${text} is not a number from 0 to 1`);
  return ratio;
}
