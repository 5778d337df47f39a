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
      endpoints: new Map(),
      telemetry: { otlpUrl: undefined, logLevel: "info" },
    });
  });

  test("reads the addresses of other services", () => {
    const text = "catalog=127.0.0.1:7120, inventory=127.0.0.1:7130|[::1]:7130";
    expect(loadMeshConfig({ ...env, WEFT_ENDPOINTS: text }).endpoints).toEqual(
      new Map([
        ["catalog", ["127.0.0.1:7120"]],
        ["inventory", ["127.0.0.1:7130", "[::1]:7130"]],
      ]),
    );
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
    ["WEFT_ENDPOINTS", "catalog"],
    ["WEFT_ENDPOINTS", "catalog="],
    ["WEFT_ENDPOINTS", "catalog=127.0.0.1:7120=x"],
    ["WEFT_ENDPOINTS", "catalog=127.0.0.1:7120|"],
    ["WEFT_ENDPOINTS", "catalog=127.0.0.1:7120,catalog=127.0.0.1:7220"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"],
    ["LOG_LEVEL", "loud"],
    ["OTEL_TRACES_SAMPLER_ARG", "1.5"],
    ["OTEL_TRACES_SAMPLER_ARG", "some"],
  ])("refuses %s=%s and names it", (name, value) => {
    expect(() => loadMeshConfig({ ...env, [name]: value })).toThrow(new RegExp(`^${name}`));
  });
});
