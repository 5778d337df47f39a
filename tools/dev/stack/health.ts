import { connect } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { Health, HealthCheckResponse_ServingStatus } from "@weft/mesh/gen/grpc/health/v1/health_pb.js";

const CALL_TIMEOUT_MS = 1_000;

/** Asks grpc.health.v1 on a plaintext port whether the whole server is SERVING; throws while nobody answers. */
export async function isServing(port: number): Promise<boolean> {
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  try {
    const client = createClient(Health, createGrpcTransport({ baseUrl, sessionManager }));
    const { status } = await client.check({ service: "" }, { timeoutMs: CALL_TIMEOUT_MS });
    return status === HealthCheckResponse_ServingStatus.SERVING;
  } finally {
    sessionManager.abort();
  }
}

/** Whether an outside party answers its health path. */
export async function isUp(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  await response.arrayBuffer();
  return response.ok;
}

/** Whether a port accepts connections; throws while it does not. */
export function accepts(port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect({ host: "127.0.0.1", port, timeout: CALL_TIMEOUT_MS });
  socket.once("connect", () => resolve(true));
  socket.once("error", reject);
  socket.once("timeout", () => reject(new Error(`port ${port} does not answer`)));
  return promise.finally(() => socket.destroy());
}
