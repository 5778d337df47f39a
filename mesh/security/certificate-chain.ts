import { type KeyObject, X509Certificate } from "node:crypto";
import { spiffeIdOf } from "./spiffe.ts";

/** Somebody whose certificate the mesh's authority has issued. */
export interface Identified {
  /** SPIFFE id. */
  readonly id: string;
  readonly publicKey: KeyObject;
}

/** Of a chain that a stranger shows. */
const chainLengthMax = 5;

/** Finds who a chain (DER, the holder first) is of. @throws Error if the authorities do not vouch for it now */
export function identifyChain(chain: readonly Uint8Array[], authorities: readonly X509Certificate[]): Identified {
  if (chain.length === 0 || chain.length > chainLengthMax) throw new Error(`a chain of ${chain.length} certificates`);
  const certificates = chain.map((der) => new X509Certificate(der));
  if (!isIssuedBy(authorities, certificates)) throw new Error("the certificate was not issued by the mesh's authority");
  requireValidNow("the certificate", certificates);
  const [holder] = certificates;
  const id = spiffeIdOf(holder?.subjectAltName);
  if (holder === undefined || id === undefined) throw new Error("the certificate names no SPIFFE id");
  return { id, publicKey: holder.publicKey };
}

/** Whether each certificate of a chain was issued by the next, and the last by one of the authorities. */
export function isIssuedBy(authorities: readonly X509Certificate[], chain: readonly X509Certificate[]): boolean {
  return chain.every((certificate, index) => {
    const next = chain[index + 1];
    const issuers = next ? [next] : authorities;
    return issuers.some((issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey));
  });
}

/** @throws Error that says when, if one of the certificates is not valid now */
export function requireValidNow(name: string, chain: readonly X509Certificate[]): void {
  const now = Date.now();
  for (const { validFromDate, validToDate, validFrom, validTo } of chain) {
    if (validFromDate.getTime() > now) throw new Error(`${name} is not valid before ${validFrom}`);
    if (validToDate.getTime() < now) throw new Error(`${name} ran out at ${validTo}`);
  }
}
