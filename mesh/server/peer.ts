import type { ServerUnaryCall } from "@grpc/grpc-js";
import { serviceNameOf, spiffeIdOf } from "../security/spiffe.ts";
import { http2StreamOf, widenWindow } from "./http2-stream.ts";

type AuthenticatedCall = Pick<ServerUnaryCall<unknown, unknown>, "getAuthContext">;

/** Tells which service is at the other end of a call: its SPIFFE id, undefined for nobody of the mesh. */
export type PeerOf = (call: AuthenticatedCall) => string | undefined;

/**
 * Creates a reader of peers' SPIFFE ids. Reading a certificate costs 50 us, so it is done once for each HTTP/2 session,
 * which keeps its certificate for life; where the session cannot be found, every call is read. A session of the mesh's own gets
 * room for large messages then, too.
 *
 * @param trustDomain an id of another one is nobody's here, whoever has signed it
 */
export function createPeerReader(trustDomain: string): PeerOf {
  const known = new WeakMap<object, string | undefined>();
  return (call) => {
    const session = http2StreamOf(call)?.session;
    if (session && known.has(session)) return known.get(session);
    const certificate = call.getAuthContext().sslPeerCertificate;
    const id = certificate && spiffeIdOf(certificate.subjectaltname);
    const peer = id !== undefined && serviceNameOf(trustDomain, id) ? id : undefined;
    if (session) {
      known.set(session, peer);
      // Strangers keep the small one.
      if (peer !== undefined) widenWindow(session);
    }
    return peer;
  };
}
