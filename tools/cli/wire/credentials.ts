import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PeerCertificate } from "node:tls";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { unreachableFailure } from "../failure.ts";

/**
 * Mutual TLS as the operator: shows the certificate in a folder (ca.pem, cert.pem, key.pem) and takes as the service
 * only a peer whose one SPIFFE id is that service's, in the operator's own trust domain.
 */
export async function operatorCredentials(directory: string, service: string): Promise<ChannelCredentials> {
  const [ca, cert, key] = await Promise.all(["ca.pem", "cert.pem", "key.pem"].map((file) => read(directory, file)));
  if (ca === undefined || cert === undefined || key === undefined) throw missing(directory);
  const expected = `spiffe://${trustDomainOf(cert, directory)}/${service}`;
  return credentials.createSsl(ca, key, cert, {
    checkServerIdentity: (_host, certificate) => checkSpiffeId(certificate, expected),
  });
}

/** An error if the certificate is not exactly that identity's; undefined if it is. */
export function checkSpiffeId(
  certificate: Pick<PeerCertificate, "subjectaltname">,
  expected: string,
): Error | undefined {
  const found = spiffeId(certificate.subjectaltname ?? "");
  if (found === expected) return undefined;
  return new Error(`the peer is ${found ?? "nobody that has a SPIFFE id"}, not ${expected}`);
}

/** The id in a subject alternative name; undefined unless there is exactly one. Quotes mean an attempt to forge one. */
function spiffeId(subjectAltName: string): string | undefined {
  if (subjectAltName.includes('"')) return undefined;
  const uris = subjectAltName.split(", ").filter((entry) => entry.startsWith("URI:"));
  return uris.length === 1 ? uris[0]?.slice("URI:".length) : undefined;
}

function trustDomainOf(cert: Buffer, directory: string): string {
  const own = spiffeId(new X509Certificate(cert).subjectAltName ?? "");
  if (own?.startsWith("spiffe://") !== true) {
    throw unreachableFailure(`${join(directory, "cert.pem")} carries no SPIFFE id`, "--certs names another folder");
  }
  return new URL(own).host;
}

async function read(directory: string, file: string): Promise<Buffer> {
  try {
    return await readFile(join(directory, file));
  } catch (error) {
    throw missing(join(directory, file), error);
  }
}

function missing(path: string, cause?: unknown) {
  return unreachableFailure(
    `cannot read the operator's certificate: ${path}`,
    "`make up` makes it with the stack; --certs names another folder",
    cause,
  );
}
