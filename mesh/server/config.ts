import { type TransportChoice, transportChoices } from "../client/edge-settings.ts";
import type { Instance } from "../contract/discovery.ts";
import {
  type Address,
  type Env,
  formatAddress,
  readAddress,
  readString,
  readUrl,
  SettingError,
} from "../contract/settings.ts";
import type { StatementHook } from "../contract/statement-hook.ts";
import { type DiscoverySetting, isLabel, isWeight, readDiscovery } from "../discovery/setting.ts";
import { type LogLevel, logLevels } from "../telemetry/logger.ts";
import type { InProcessNetwork } from "./in-process-network.ts";

/** What a server tells of itself where it registers. */
export interface AdvertisedInstance extends Omit<Instance, "address"> {
  /** With the port that it listens on, its address; left out, the host that it listens on. */
  readonly host?: string | undefined;
}

/** What every service of the mesh is told by its environment. */
export interface MeshConfig {
  /** Where other services call this one (mutual TLS). */
  readonly grpcAddress: Address;
  /** Where probes ask for health (plaintext, nothing else is served there). */
  readonly healthAddress: Address;
  /** Where Prometheus collects. */
  readonly metricsAddress: Address;
  readonly credentials: { readonly directory: string; readonly trustDomain: string };
  /** Where other services are found: for openDiscovery. */
  readonly discovery: DiscoverySetting;
  /** How others find this process, and choose it. */
  readonly instance: AdvertisedInstance;
  /** Its address as they see it. */
  readonly address: string;
  readonly telemetry: {
    readonly otlpUrl: string | undefined;
    readonly logLevel: LogLevel;
    /** Part of the traces that is recorded, 0 to 1, where no caller has decided; all if left out. */
    readonly sampleRatio?: number | undefined;
  };
  /** How unary calls leave this process, where no override says otherwise; "auto" if left out. */
  readonly transport?: TransportChoice;
  /** Whether operators may have faults injected into this process's calls; no if left out. */
  readonly faultsAllowed?: boolean;
  /** Set where several services share a process; never by the environment. */
  readonly inProcess?: InProcessNetwork;
  /** For createDatabase. Set by a harness that starts a service; never by the environment. */
  readonly onStatement?: StatementHook;
}

/** What a server needs of it. */
export type ServerConfig = Pick<MeshConfig, "grpcAddress" | "healthAddress" | "metricsAddress" | "inProcess"> &
  Partial<Pick<MeshConfig, "instance">>;

/** Reads the mesh's settings. @throws SettingError naming the setting */
export function loadMeshConfig(env: Env): MeshConfig {
  const grpcAddress = readAddress(env, "WEFT_GRPC_ADDR");
  const discovery = readDiscovery(env);
  const instance = readInstance(env, discovery, grpcAddress);
  return {
    grpcAddress,
    address: formatAddress({ ...grpcAddress, ...(instance.host && { host: instance.host }) }),
    healthAddress: readAddress(env, "WEFT_HEALTH_ADDR"),
    metricsAddress: readAddress(env, "WEFT_METRICS_ADDR"),
    credentials: {
      directory: readString(env, "WEFT_CERT_DIR"),
      trustDomain: readString(env, "WEFT_TRUST_DOMAIN", "weft.local"),
    },
    discovery,
    instance,
    transport: readTransport(env),
    faultsAllowed: readBoolean(env, "WEFT_FAULTS_ALLOWED"),
    telemetry: {
      otlpUrl: env.OTEL_EXPORTER_OTLP_ENDPOINT
        ? readUrl(env, "OTEL_EXPORTER_OTLP_ENDPOINT", ["http:", "https:"])
        : undefined,
      logLevel: readLogLevel(env),
      sampleRatio: readSampleRatio(env),
    },
  };
}

/** What others are told of this process: WEFT_ADVERTISE_HOST, WEFT_VERSION, WEFT_ZONE, WEFT_WEIGHT. */
function readInstance(env: Env, { source }: DiscoverySetting, grpcAddress: Address): AdvertisedInstance {
  const host = env.WEFT_ADVERTISE_HOST || grpcAddress.host;
  if (source === "nats" && (host === "0.0.0.0" || host === "::")) {
    throw new SettingError(`WEFT_ADVERTISE_HOST is not set: nobody can call ${formatAddress(grpcAddress)}`);
  }
  const weight = Number(env.WEFT_WEIGHT || 1);
  if (!isWeight(weight)) throw new SettingError(`WEFT_WEIGHT=${env.WEFT_WEIGHT} is not a number above 0, up to 1000`);
  return { host, version: readLabel(env, "WEFT_VERSION"), zone: readLabel(env, "WEFT_ZONE"), weight };
}

function readBoolean(env: Env, name: string): boolean {
  const text = env[name] || "false";
  if (text !== "true" && text !== "false") throw new SettingError(`${name}=${text} is neither true nor false`);
  return text === "true";
}

function readLabel(env: Env, name: string): string | undefined {
  const text = env[name] || undefined;
  if (text !== undefined && !isLabel(text)) {
    throw new SettingError(`${name}=${text} is not a short name of letters, digits and -._`);
  }
  return text;
}

function readTransport(env: Env): TransportChoice {
  const text = readString(env, "WEFT_TRANSPORT", "auto");
  const choice = transportChoices.find((candidate) => candidate === text);
  if (choice === undefined) throw new SettingError(`WEFT_TRANSPORT=${text} is none of ${transportChoices.join(", ")}`);
  return choice;
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
