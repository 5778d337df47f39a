import type { ServerUnaryCall } from "@grpc/grpc-js";
import { spiffeIdOf } from "../security/spiffe.ts";

type AuthenticatedCall = Pick<ServerUnaryCall<unknown, unknown>, "getAuthContext">;

/** Tells which service is at the other end of a call. */
export type PeerOf = (call: AuthenticatedCall) => string | undefined;

/**
 * Creates a reader of peers' SPIFFE ids. Reading a certificate costs 50 us, so it is done once for each HTTP/2 session,
 * which keeps its certificate for life. grpc-js has no public way to the session; without it every call is read.
 */
export function createPeerReader(): PeerOf {
  const known = new WeakMap<object, string | undefined>();
  return (call) => {
    const session = sessionOf(call);
    if (session && known.has(session)) return known.get(session);
    const certificate = call.getAuthContext().sslPeerCertificate;
    const peer = certificate && spiffeIdOf(certificate.subjectaltname);
    if (session) known.set(session, peer);
    return peer;
  };
}

function sessionOf(call: unknown): object | undefined {
  const { session } = (call as { call?: { stream?: { session?: unknown } } }).call?.stream ?? {};
  return typeof session === "object" && session !== null ? session : undefined;
}
