import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import { loadCredentials } from "@weft/mesh/security";
import { loadMeshConfig, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { exportJWK, SignJWT } from "jose";
import { openCertificateAuthority } from "../../tools/dev/certificates.ts";
import { freePort } from "../../tools/dev/processes/ports.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";

/** Services that stand in for those behind the edge, by name; what each of them answers. */
export type Inner = Readonly<Record<string, (router: ConnectRouter) => void>>;

/** An edge with stand-ins behind it, all on real sockets. For tests. */
export interface TestEdge extends AsyncDisposable {
  /** "http://127.0.0.1:18080" */
  readonly url: string;
  /** Where the edge serves health and the admin API to the mesh. */
  readonly grpcAddress: string;
  /** Folder with the certificates, one folder inside for each identity; "operator" is one. */
  readonly certDirectory: string;
  /** Stops one of the stand-ins for good. */
  stop(service: string): Promise<void>;
}

const trustDomain = "weft.local";
export const testIssuer = "https://shop.test";
export const testOrigin = "https://page.test";

/** Runs an edge with this environment. */
type RunEdge = (env: Readonly<Record<string, string | undefined>>) => Promise<AsyncDisposable>;

/**
 * Starts the stand-ins, then the edge, in this process unless `run` does otherwise. A service without a stand-in is away, and so is
 * NATS unless its URL is given.
 */
export async function startTestEdge(
  inner: Inner,
  overrides: Record<string, string> = {},
  run: RunEdge = (env) => start(loadConfig(env)),
): Promise<TestEdge> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-edge-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const authority = await openCertificateAuthority({ directory, trustDomain });
  const names = ["edge", "user", "catalog", "inventory", "cart", "order", "recommendation", "analytics"];
  for (const name of [...names, "operator"]) await authority.issue(name);
  const addresses = new Map<string, string>();
  for (const name of names) addresses.set(name, `127.0.0.1:${await freePort()}`);

  const env = async (name: string) => ({
    WEFT_GRPC_ADDR: addresses.get(name),
    WEFT_HEALTH_ADDR: `127.0.0.1:${await freePort()}`,
    WEFT_METRICS_ADDR: `127.0.0.1:${await freePort()}`,
    WEFT_CERT_DIR: join(directory, name),
    WEFT_TRUST_DOMAIN: trustDomain,
    WEFT_DISCOVERY: `static:${[...addresses].map(([service, address]) => `${service}=${address}`).join(",")}`,
    LOG_LEVEL: "error",
  });

  const running = new Map<string, AsyncDisposable>();
  for (const [service, routes] of Object.entries(inner)) {
    const stack = resources.use(new AsyncDisposableStack());
    const config = loadMeshConfig(await env(service));
    const telemetry = stack.use(createTelemetry({ service, ...config.telemetry, write: () => undefined }));
    const credentials = stack.use(await loadCredentials(config.credentials));
    stack.use(await serve({ service, config, routes, credentials, telemetry }));
    running.set(service, stack);
  }
  const port = await freePort();
  const settings = {
    EDGE_ADDR: `127.0.0.1:${port}`,
    NATS_URL: `nats://127.0.0.1:${await freePort()}`,
    CORS_ORIGINS: testOrigin,
    TOKEN_ISSUER: testIssuer,
    RECOMMENDED_SKUS: "CUP,POT",
    ...overrides,
  };
  resources.use(await run({ ...(await env("edge")), ...settings }));

  const all = resources.move();
  return {
    url: `http://127.0.0.1:${port}`,
    grpcAddress: addresses.get("edge") ?? "",
    certDirectory: directory,
    stop: async (service) => await running.get(service)?.[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** What the user service does with its key. */
export interface TestTokens {
  jwksJson(): Promise<string>;
  /** @param lifetimeSeconds negative for one that has expired */
  issue(userId: string, lifetimeSeconds?: number, scope?: string): Promise<string>;
}

export function createTestTokens(): TestTokens {
  const { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
  });
  return {
    async jwksJson() {
      return JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256", use: "sig" }] });
    },
    async issue(userId, lifetimeSeconds = 900, scope = "customer") {
      const expiresAt = Math.floor(Date.now() / 1_000) + lifetimeSeconds;
      return await new SignJWT({ scope })
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "k1" })
        .setIssuer(testIssuer)
        .setAudience("shop")
        .setSubject(userId)
        .setExpirationTime(expiresAt)
        .sign(privateKey);
    },
  };
}
