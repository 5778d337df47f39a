import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PeerCertificate } from "node:tls";
import { type ChannelCredentials, experimental, type ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "../telemetry/logger.ts";
import { spiffeId, spiffeIdOf, spiffeIdOfPem } from "./spiffe.ts";

export interface CredentialsOptions {
  /** Folder with ca.pem, cert.pem and key.pem. */
  readonly directory: string;
  /** The SPIFFE trust domain of the mesh: "weft.local". */
  readonly trustDomain: string;
  /** How often the files are looked at again. */
  readonly refreshIntervalMs?: number;
  readonly logger?: Logger;
}

/** A process's identity on the mesh. Follows its files: new connections use what is there now. */
export interface Credentials extends AsyncDisposable {
  readonly trustDomain: string;
  /** This process's own SPIFFE id. */
  readonly id: string;
  /** For a server that lets in only peers with a certificate of the mesh's CA. */
  forServer(): ServerCredentials;
  /** For calls to one service: a server that is not that service is refused, whatever its address. */
  forClient(service: string): ChannelCredentials;
  /** Looks at the files now. @throws Error if what they hold cannot be used; the old identity stays in use */
  reload(): Promise<void>;
}

interface Identity {
  readonly caCertificate: Buffer;
  readonly certificate: Buffer;
  readonly privateKey: Buffer;
}

type CaListener = experimental.CaCertificateUpdateListener;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/**
 * Loads a process's certificate and follows its files. A new one is taken only if it is whole and valid, so that a swap
 * caught half-way changes nothing.
 *
 * @throws Error naming the file and what is wrong with it
 */
export async function loadCredentials(options: CredentialsOptions): Promise<Credentials> {
  const { directory, trustDomain, refreshIntervalMs = 5_000, logger } = options;
  let current = await readIdentity(directory);
  const ownId = spiffeIdOfPem(current.certificate);
  if (ownId === undefined) throw new Error(`${join(directory, "cert.pem")} names no SPIFFE id (one URI in its SAN)`);
  const caListeners = new Set<CaListener>();
  const identityListeners = new Set<IdentityListener>();

  // grpc-js 1.14.7 swaps the two parameters of its server credentials; one object for both is right either way. It
  // also misses an update that comes while the listener is being added, so the first one comes a moment later.
  const provider: experimental.CertificateProvider = {
    addCaCertificateListener(listener) {
      caListeners.add(listener);
      queueMicrotask(() => listener(current));
    },
    removeCaCertificateListener: (listener) => void caListeners.delete(listener),
    addIdentityCertificateListener(listener) {
      identityListeners.add(listener);
      queueMicrotask(() => listener(current));
    },
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
  };

  const reload = async (): Promise<void> => {
    const next = await readIdentity(directory);
    if (sameIdentity(current, next)) return;
    if (spiffeIdOfPem(next.certificate) !== ownId) throw new Error(`${directory} now holds another service's identity`);
    current = next;
    for (const listener of caListeners) listener(next);
    for (const listener of identityListeners) listener(next);
    logger?.info("certificate replaced", { spiffe_id: ownId });
  };
  const timer = setInterval(() => {
    reload().catch((error: unknown) => logger?.error("new certificate refused, the old one stays in use", { error }));
  }, refreshIntervalMs);
  timer.unref();

  return {
    trustDomain,
    id: ownId,
    reload,
    forServer: () => experimental.createCertificateProviderServerCredentials(provider, provider, true),
    forClient: (service) =>
      experimental.createCertificateProviderChannelCredentials(provider, provider, {
        checkServerIdentity: (_host, certificate) => checkServer(spiffeId(trustDomain, service), certificate),
      }),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
    },
  };
}

async function readIdentity(directory: string): Promise<Identity> {
  const [caCertificate, certificate, privateKey] = await Promise.all(
    ["ca.pem", "cert.pem", "key.pem"].map((file) => readFile(join(directory, file))),
  );
  if (!caCertificate || !certificate || !privateKey) throw new Error(`${directory}: three files were expected`);
  const ca = parseCertificate(join(directory, "ca.pem"), caCertificate);
  const own = parseCertificate(join(directory, "cert.pem"), certificate);
  if (!own.checkPrivateKey(createPrivateKey(privateKey))) {
    throw new Error(`${join(directory, "key.pem")} is not the key of cert.pem`);
  }
  if (!own.checkIssued(ca) || !own.verify(ca.publicKey)) {
    throw new Error(`${join(directory, "cert.pem")} was not issued by ca.pem`);
  }
  if (own.validToDate.getTime() < Date.now()) {
    throw new Error(`${join(directory, "cert.pem")} ran out at ${own.validTo}`);
  }
  return { caCertificate, certificate, privateKey };
}

function parseCertificate(file: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new Error(`${file} holds no PEM certificate`, { cause });
  }
}

function sameIdentity(a: Identity, b: Identity): boolean {
  return (
    a.certificate.equals(b.certificate) && a.privateKey.equals(b.privateKey) && a.caCertificate.equals(b.caCertificate)
  );
}

function checkServer(expected: string, certificate: PeerCertificate): Error | undefined {
  const actual = spiffeIdOf(certificate.subjectaltname);
  return actual === expected ? undefined : new Error(`the server is ${actual ?? "nobody we know"}, not ${expected}`);
}
