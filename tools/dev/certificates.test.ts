import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ensureTokenKey, openCertificateAuthority } from "./certificates.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "weft-certs-"));
});
afterEach(() => rm(directory, { recursive: true }));

const open = (now: () => number = Date.now) => openCertificateAuthority({ directory, trustDomain: "weft.local", now });
const read = (path: string) => readFile(join(directory, path), "utf8");
const DAY_MS = 24 * 60 * 60 * 1_000;

test("a service's certificate names its SPIFFE id once, and the local address", async () => {
  await (await open()).issue("order");
  const certificate = new X509Certificate(await read("order/cert.pem"));
  expect(certificate.subjectAltName).toBe("URI:spiffe://weft.local/order, DNS:localhost, IP Address:127.0.0.1");
  expect(certificate.checkPrivateKey(createPrivateKey(await read("order/key.pem")))).toBe(true);
  const ca = new X509Certificate(await read("order/ca.pem"));
  expect(certificate.checkIssued(ca) && certificate.verify(ca.publicKey)).toBe(true);
  expect([ca.ca, certificate.ca]).toEqual([true, false]);
  expect((await stat(join(directory, "order/key.pem"))).mode & 0o777).toBe(0o600);
});

test("an authority that is opened again signs with the same key", async () => {
  await (await open()).issue("order");
  await (await open()).issue("user");
  expect(await read("user/ca.pem")).toBe(await read("order/ca.pem"));
});

test("ensure() issues what is missing, keeps what is fresh and replaces what is near its end", async () => {
  let now = Date.now();
  const authority = await open(() => now);
  expect(await authority.ensure("order")).toBe(true);
  const first = await read("order/cert.pem");
  expect(await authority.ensure("order")).toBe(false);
  now += 61 * DAY_MS;
  expect(await authority.ensure("order")).toBe(true);
  expect(await read("order/cert.pem")).not.toBe(first);
});

test("ensure() replaces what another authority signed", async () => {
  await (await open()).ensure("order");
  await rm(join(directory, "authority"), { recursive: true });
  expect(await (await open()).ensure("order")).toBe(true);
});

test("the token key is made once", async () => {
  const file = join(directory, "token-key.pem");
  await ensureTokenKey(file);
  const first = await read("token-key.pem");
  await ensureTokenKey(file);
  expect(await read("token-key.pem")).toBe(first);
  expect(createPrivateKey(first).asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
});
