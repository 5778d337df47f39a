import { X509Certificate } from "node:crypto";

/** The SPIFFE id of a service in a trust domain: "spiffe://weft.local/order". */
export function spiffeId(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/${name}`;
}

/**
 * The SPIFFE id in a certificate's subject alternative names (X.509-SVID): exactly one URI, or undefined.
 *
 * @param subjectAltName as Node prints it: "URI:spiffe://weft.local/order, DNS:localhost". A quoted entry could hide a
 * second URI inside a name, so a text with a quote in it names nobody.
 */
export function spiffeIdOf(subjectAltName: string | undefined): string | undefined {
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined;
  const uris = subjectAltName.split(", ").filter((entry) => entry.startsWith("URI:"));
  const id = uris[0]?.slice("URI:".length);
  return uris.length === 1 && id?.startsWith("spiffe://") ? id : undefined;
}

/** The service's name in a SPIFFE id of a trust domain: "order"; undefined if the id is of another domain. */
export function serviceNameOf(trustDomain: string, id: string): string | undefined {
  const prefix = `spiffe://${trustDomain}/`;
  return id.startsWith(prefix) ? id.slice(prefix.length) : undefined;
}

/** The SPIFFE id in a PEM certificate. */
export function spiffeIdOfPem(pem: Buffer): string | undefined {
  return spiffeIdOf(new X509Certificate(pem).subjectAltName);
}
