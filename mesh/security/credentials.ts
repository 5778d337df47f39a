import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PeerCertificate } from "node:tls";
import { type ChannelCredentials, experimental, type ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "../telemetry/logger.ts";
import { type Identified, identifyChain, isIssuedBy, requireValidNow } from "./certificate-chain.ts";
import { serviceNameOf, spiffeId, spiffeIdOf, spiffeIdOfPem } from "./spiffe.ts";

export interface CredentialsOptions {
  /**
   * Folder with ca.pem (one authority, or several while one takes over from another), cert.pem (the certificate, and
   * those between it and the authority if there are any) and key.pem.
   */
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
  /**
   * Who holds a certificate of the mesh, other than a peer of a connection.
   *
   * @param chain DER: the certificate, and those between it and the authority
   * @throws Error if the mesh's authority did not issue it, or it is not valid now
   */
  identify(chain: readonly Uint8Array[]): Identified;
  /** Looks at the files now. @throws Error if what they hold cannot be used; the old identity stays in use */
  reload(): Promise<void>;
}

/**
 * What a server bears of a connection. A peer may reset so many streams at once, and then a second: above its own 33 a
 * second Node ends the connection and every call on it (rapid reset, CVE-2023-44487); but our peers have shown who they
 * are, and one that serves impatient people passes on each call that they cancel. Who has not shown it in 10 s is cut.
 */
const connectionLimits = { streamResetBurst: 20_000, streamResetRate: 10_000, handshakeTimeout: 10_000 };

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
  if (serviceNameOf(trustDomain, ownId) === undefined) {
    throw new Error(`${join(directory, "cert.pem")} is for ${ownId}, not of the trust domain ${trustDomain}`);
  }
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

  const load = async (): Promise<void> => {
    const next = await readIdentity(directory);
    if (sameIdentity(current, next)) return;
    if (spiffeIdOfPem(next.certificate) !== ownId) throw new Error(`${directory} now holds another service's identity`);
    current = next;
    for (const listener of caListeners) listener(next);
    for (const listener of identityListeners) listener(next);
    logger?.info("certificate replaced", { spiffe_id: ownId });
  };
  // One after the other: of two at a time, the one that has read the older files could come last.
  let loading = Promise.resolve();
  const reload = (): Promise<void> => {
    const loaded = loading.then(load);
    loading = loaded.catch(() => undefined);
    return loaded;
  };
  const timer = setInterval(() => {
    reload().catch((error: unknown) => logger?.error("new certificate refused, the old one stays in use", { error }));
  }, refreshIntervalMs);
  timer.unref();

  return {
    trustDomain,
    id: ownId,
    reload,
    forServer() {
      const server = experimental.createCertificateProviderServerCredentials(provider, provider, true);
      // grpc-js hands these to Node with the rest, and has no way of its own to say them.
      Object.assign(server._getConstructorOptions() ?? {}, connectionLimits);
      return server;
    },
    forClient: (service) =>
      experimental.createCertificateProviderChannelCredentials(provider, provider, {
        checkServerIdentity: (_host, certificate) => checkServer(spiffeId(trustDomain, service), certificate),
      }),
    identify: (chain) => identifyChain(chain, parseCertificates("ca.pem", current.caCertificate)),
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
  const authorities = parseCertificates(join(directory, "ca.pem"), caCertificate);
  const file = join(directory, "cert.pem");
  const chain = parseCertificates(file, certificate);
  if (!chain[0]?.checkPrivateKey(createPrivateKey(privateKey))) {
    throw new Error(`${join(directory, "key.pem")} is not the key of cert.pem`);
  }
  if (!isIssuedBy(authorities, chain)) throw new Error(`${file} was not issued by ca.pem`);
  requireValidNow(file, chain);
  return { caCertificate, certificate, privateKey };
}

function parseCertificates(file: string, pem: Buffer): X509Certificate[] {
  const blocks = pem.toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${file} holds no PEM certificate`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new Error(`${file} holds what is no certificate`, { cause });
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
