import { describe, expect, test } from "vitest";
import { loadMeshConfig } from "./config.ts";

const env = {
  WEFT_GRPC_ADDR: "127.0.0.1:7140",
  WEFT_HEALTH_ADDR: "127.0.0.1:7141",
  WEFT_METRICS_ADDR: "[::1]:7142",
  WEFT_CERT_DIR: "/certs",
};

describe("loadMeshConfig()", () => {
  test("reads what is set and knows what need not be", () => {
    expect(loadMeshConfig(env)).toEqual({
      grpcAddress: { host: "127.0.0.1", port: 7140 },
      healthAddress: { host: "127.0.0.1", port: 7141 },
      metricsAddress: { host: "::1", port: 7142 },
      credentials: { directory: "/certs", trustDomain: "weft.local" },
      discovery: { source: "static", instances: new Map() },
      address: "127.0.0.1:7140",
      instance: { host: "127.0.0.1", weight: 1 },
      transport: "auto",
      faultsAllowed: false,
      telemetry: { otlpUrl: undefined, logLevel: "info" },
    });
  });

  test("reads what others are told of this process", () => {
    const labels = { WEFT_ADVERTISE_HOST: "10.0.0.7", WEFT_VERSION: "2.1.0", WEFT_ZONE: "eu-1a", WEFT_WEIGHT: "0.5" };
    const instance = { host: "10.0.0.7", version: "2.1.0", zone: "eu-1a", weight: 0.5 };
    expect(loadMeshConfig({ ...env, ...labels })).toMatchObject({ instance, address: "10.0.0.7:7140" });
  });

  test("a process that others find by itself must say where", () => {
    const listening = { ...env, WEFT_GRPC_ADDR: "0.0.0.0:7140", NATS_URL: "nats://127.0.0.1:7002" };
    expect(() => loadMeshConfig({ ...listening, WEFT_DISCOVERY: "nats:shop" })).toThrow(/^WEFT_ADVERTISE_HOST/);
    expect(loadMeshConfig({ ...listening, WEFT_DISCOVERY: "dns:catalog=catalog:7100" }).instance.host).toBe("0.0.0.0");
  });

  test.each([
    ["0.01", 0.01],
    ["0", 0],
    ["", undefined],
  ])("reads which part of the traces is recorded: %j", (text, ratio) => {
    expect(loadMeshConfig({ ...env, OTEL_TRACES_SAMPLER_ARG: text }).telemetry.sampleRatio).toBe(ratio);
  });

  test.each([
    ["WEFT_GRPC_ADDR", undefined],
    ["WEFT_HEALTH_ADDR", "7141"],
    ["WEFT_METRICS_ADDR", "127.0.0.1:99999"],
    ["WEFT_CERT_DIR", ""],
    ["WEFT_DISCOVERY", "catalog=127.0.0.1:7120"],
    ["WEFT_VERSION", "a version"],
    ["WEFT_ZONE", "-"],
    ["WEFT_TRANSPORT", "http"],
    ["WEFT_FAULTS_ALLOWED", "yes"],
    ["WEFT_WEIGHT", "0"],
    ["WEFT_WEIGHT", "heavy"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"],
    ["LOG_LEVEL", "loud"],
    ["OTEL_TRACES_SAMPLER_ARG", "1.5"],
    ["OTEL_TRACES_SAMPLER_ARG", "some"],
  ])("refuses %s=%s and names it", (name, value) => {
    expect(() => loadMeshConfig({ ...env, [name]: value })).toThrow(new RegExp(`^${name}`));
  });
});
