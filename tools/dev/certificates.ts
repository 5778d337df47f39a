// The ASN.1 library under @peculiar/x509 does not load without it.
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { readIfThere, writeWhole } from "./processes/files.ts";

/** Makes certificates of one trust domain. Everything is ECDSA P-256. */
export interface CertificateAuthority {
  /**
   * Writes `<directory>/<name>/{ca,cert,key}.pem` for the identity `spiffe://<trustDomain>/<name>`, with a new key. Each file is
   * replaced whole, so that a process which watches them never reads half of one.
   */
  issue(name: string, options?: { readonly validityMs?: number }): Promise<void>;
  /** Issues it unless there is one that this authority signed and of whose time a third is left; answers whether it did. */
  ensure(name: string): Promise<boolean>;
}

export interface CertificateAuthorityOptions {
  /** Of all certificates; the authority's own are in `authority/`. */
  readonly directory: string;
  readonly trustDomain: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const AUTHORITY_VALIDITY_MS = 3_650 * DAY_MS;
const VALIDITY_MS = 90 * DAY_MS;
// Clocks differ a little, and a certificate is used at once.
const BACKDATE_MS = 5 * 60 * 1_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

type KeyPair = webcrypto.CryptoKeyPair;
type PrivateKey = webcrypto.CryptoKey;

/** Opens the authority in a folder, and makes it when there is none. */
export async function openCertificateAuthority(options: CertificateAuthorityOptions): Promise<CertificateAuthority> {
  const now = options.now ?? Date.now;
  const authority = (await loadAuthority(options.directory, now())) ?? (await makeAuthority(options, now()));
  const issue: CertificateAuthority["issue"] = async (name, { validityMs = VALIDITY_MS } = {}) => {
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${name}`,
      issuer: authority.certificate.subject,
      ...validity(now(), validityMs),
      signingKey: authority.key,
      publicKey: keys.publicKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(namesOf(options.trustDomain, name)),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
        await AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
      ],
    });
    const folder = join(options.directory, name);
    await writeWhole(join(folder, "ca.pem"), pem(authority.certificate));
    // The key first: whoever sees the new certificate finds its key, and a pair that does not match is refused till then.
    await writeWhole(join(folder, "key.pem"), await privateKeyPem(keys.privateKey), 0o600);
    await writeWhole(join(folder, "cert.pem"), pem(certificate));
  };
  return {
    issue,
    async ensure(name) {
      const text = await readIfThere(join(options.directory, name, "cert.pem"));
      const ca = await readIfThere(join(options.directory, name, "ca.pem"));
      if (text !== undefined && ca === pem(authority.certificate) && isFresh(new X509Certificate(text), now())) {
        return false;
      }
      await issue(name);
      return true;
    },
  };
}

/** Writes the private key with which the user service signs access tokens (ES256; PKCS #8, PEM), unless it is there. */
export async function ensureTokenKey(file: string): Promise<void> {
  if ((await readIfThere(file)) !== undefined) return;
  const keys = await generateKeys();
  await writeWhole(file, await privateKeyPem(keys.privateKey), 0o600);
}

interface Authority {
  readonly certificate: X509Certificate;
  readonly key: PrivateKey;
}

async function makeAuthority(options: CertificateAuthorityOptions, now: number): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=Weft local authority of ${options.trustDomain}`,
    ...validity(now, AUTHORITY_VALIDITY_MS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${options.trustDomain}` }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const folder = join(options.directory, "authority");
  await writeWhole(join(folder, "key.pem"), await privateKeyPem(keys.privateKey), 0o600);
  await writeWhole(join(folder, "cert.pem"), pem(certificate));
  return { certificate, key: keys.privateKey };
}

async function loadAuthority(directory: string, now: number): Promise<Authority | undefined> {
  const [certificate, key] = await Promise.all(
    ["cert.pem", "key.pem"].map((file) => readIfThere(join(directory, "authority", file))),
  );
  if (certificate === undefined || key === undefined) return undefined;
  const parsed = new X509Certificate(certificate);
  if (!isFresh(parsed, now)) return undefined;
  const der = Buffer.from(key.replace(/-----[^-]+-----|\s/g, ""), "base64");
  return { certificate: parsed, key: await webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]) };
}

/** One URI only, as X.509-SVID demands; localhost and its address so that tools which check names can connect. */
function namesOf(trustDomain: string, name: string): JsonGeneralName[] {
  return [
    { type: "url", value: `spiffe://${trustDomain}/${name}` },
    { type: "dns", value: "localhost" },
    { type: "ip", value: "127.0.0.1" },
  ];
}

function isFresh({ notBefore, notAfter }: X509Certificate, now: number): boolean {
  return notAfter.getTime() - now > (notAfter.getTime() - notBefore.getTime()) / 3;
}

function validity(now: number, validityMs: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + validityMs) };
}

function generateKeys(): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function privateKeyPem(key: PrivateKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----", ""].join("\n");
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

/** 127 random bits: RFC 5280 wants a positive integer. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString("hex");
}
