// The ASN.1 library under @peculiar/x509 does not load without it.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { Server } from "@grpc/grpc-js";
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCertificateAuthority } from "../../tools/dev/certificates.ts";
import { createGrpcConnector } from "../client/grpc-connector.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { listenGrpc } from "../server/grpc-listener.ts";
import { attemptOver } from "../testing/attempts.ts";
import { failure } from "../testing/outcome.ts";
import { loadCredentials } from "./credentials.ts";

const trustDomain = "test.local";
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "weft-chains-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Issues a name's certificate by an authority of its own; returns its folder. */
async function issue(name: string, options: { trustDomain?: string; nowMs?: number } = {}): Promise<string> {
  const folder = join(directory, `by-${name}`);
  const { nowMs } = options;
  const authority = await openCertificateAuthority({
    directory: folder,
    trustDomain: options.trustDomain ?? trustDomain,
    ...(nowMs !== undefined && { now: () => nowMs }),
  });
  await authority.issue(name);
  return join(folder, name);
}

async function generateKeys() {
  return await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

/** Issues a name's certificate by an authority that stands under another; returns its folder. */
async function issueThroughIntermediate(name: string, withIntermediate: boolean): Promise<string> {
  const [root, intermediate, own] = [await generateKeys(), await generateKeys(), await generateKeys()];
  const year = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000) };
  const common = { ...year, signingAlgorithm: algorithm };
  const rootCertificate = await X509CertificateGenerator.createSelfSigned({
    ...common,
    name: "CN=root",
    keys: root,
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  });
  const between = await X509CertificateGenerator.create({
    ...common,
    subject: "CN=intermediate",
    issuer: "CN=root",
    publicKey: intermediate.publicKey,
    signingKey: root.privateKey,
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  });
  const leaf = await X509CertificateGenerator.create({
    ...common,
    subject: `CN=${name}`,
    issuer: "CN=intermediate",
    publicKey: own.publicKey,
    signingKey: intermediate.privateKey,
    extensions: [new SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}/${name}` }])],
  });
  const pem = (...certificates: X509Certificate[]) => certificates.map((each) => `${each.toString("pem")}\n`).join("");
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", own.privateKey)).toString("base64");
  const folder = join(directory, name);
  await mkdir(folder);
  await writeFile(join(folder, "ca.pem"), pem(rootCertificate));
  await writeFile(join(folder, "cert.pem"), withIntermediate ? pem(leaf, between) : pem(leaf));
  await writeFile(join(folder, "key.pem"), `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`);
  return folder;
}

/** What a call from one identity to another ends with: UNIMPLEMENTED if they trust each other. */
async function call(from: string, to: string): Promise<Code> {
  await using server = await loadCredentials({ directory: to, trustDomain });
  await using client = await loadCredentials({ directory: from, trustDomain });
  const anyPort = { host: "127.0.0.1", port: 0 };
  await using listener = await listenGrpc(new Server(), anyPort, server.forServer(), "ADDR");
  const connector = createGrpcConnector(`127.0.0.1:${listener.port}`, "echo", client.forClient("echo"));
  const limits = { deadlineMs: Date.now() + 5_000 };
  const { code } = await failure(attemptOver(connector, EchoService.method.echo, {}, limits));
  connector.close();
  return code;
}

test("several authorities are trusted, while one takes over from another", async () => {
  const [caller, echo] = [await issue("caller"), await issue("echo")];
  expect(await call(caller, echo)).toBe(Code.Unavailable);
  const both = `${await readFile(join(caller, "ca.pem"))}${await readFile(join(echo, "ca.pem"))}`;
  for (const folder of [caller, echo]) await writeFile(join(folder, "ca.pem"), both);
  expect(await call(caller, echo)).toBe(Code.Unimplemented);
});

test("a certificate may come with those between it and the authority", async () => {
  const echo = await issueThroughIntermediate("echo", true);
  expect(await call(echo, echo)).toBe(Code.Unimplemented);
});

test("a certificate without those between it and the authority is refused", async () => {
  const folder = await issueThroughIntermediate("echo", false);
  await expect(loadCredentials({ directory: folder, trustDomain })).rejects.toThrow(
    "cert.pem was not issued by ca.pem",
  );
});

test.each([
  ["has run out", Date.now() - 400 * 86_400_000, "ran out at"],
  ["is not valid yet", Date.now() + 86_400_000, "is not valid before"],
])("a certificate that %s is refused", async (_name, nowMs, message) => {
  const folder = await issue("echo", { nowMs });
  await expect(loadCredentials({ directory: folder, trustDomain })).rejects.toThrow(message);
});

test("a certificate of another trust domain than the process's own is refused", async () => {
  const folder = await issue("echo", { trustDomain: "other.local" });
  await expect(loadCredentials({ directory: folder, trustDomain })).rejects.toThrow(
    "is for spiffe://other.local/echo, not of the trust domain test.local",
  );
});
