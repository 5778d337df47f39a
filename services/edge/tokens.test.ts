import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { ConnectError } from "@connectrpc/connect";
import { errorReason } from "@weft/mesh/contract";
import { exportJWK, importJWK, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { createAuthenticate } from "./tokens.ts";

const signedAtMs = Date.parse("2026-03-01T12:00:00Z");
const signedAt = signedAtMs / 1000;
const issuer = "https://shop.test";

interface TokenParts {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
  key?: KeyObject;
}

const trusted = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** A token that is right in everything but what the parts say. */
function sign({ header = {}, claims = {}, key = trusted.privateKey }: TokenParts = {}): Promise<string> {
  const payload = {
    iss: issuer,
    aud: "shop",
    sub: "usr_1",
    scope: "customer",
    iat: signedAt,
    exp: signedAt + 900,
    ...claims,
  };
  const protectedHeader = { alg: "ES256", typ: "at+jwt", kid: "k1", ...header };
  return new SignJWT(payload).setProtectedHeader(protectedHeader).sign(key);
}

function authenticate(authorization: string, nowMs = signedAtMs) {
  const keys = async (keyId: string) => {
    if (keyId !== "k1") return undefined;
    const key = await importJWK(await exportJWK(trusted.publicKey), "ES256");
    return key as Exclude<typeof key, Uint8Array>;
  };
  const clock = { now: () => nowMs, monotonic: () => 0 };
  return createAuthenticate({ keys, issuer, clock })(new Headers({ authorization }));
}

async function refusal(authorization: string, nowMs?: number) {
  const error = await authenticate(authorization, nowMs).catch((thrown: unknown) => thrown);
  if (!(error instanceof ConnectError)) throw new Error("not refused");
  return `${error.code} ${errorReason(error)}`;
}

const invalid = "16 TOKEN_INVALID";
const expired = "16 TOKEN_EXPIRED";

describe("authenticate()", () => {
  test("says who a good token speaks for", async () => {
    expect(await authenticate(`Bearer ${await sign()}`)).toEqual({ userId: "usr_1", scopes: ["customer"] });
  });

  test("takes the scheme in any case, and scopes one by one", async () => {
    const token = await sign({ claims: { scope: "customer  staff" } });
    expect(await authenticate(`bearer ${token}`)).toEqual({ userId: "usr_1", scopes: ["customer", "staff"] });
  });

  test("says nothing of a call without a token", async () => {
    const clock = { now: () => signedAtMs, monotonic: () => 0 };
    const anonymous = createAuthenticate({ keys: async () => undefined, issuer, clock });
    expect(await anonymous(new Headers())).toBeUndefined();
  });

  test("forgives five seconds of difference between two clocks, not more", async () => {
    const token = await sign({ claims: { exp: signedAt } });
    await expect(authenticate(`Bearer ${token}`, signedAtMs + 4_000)).resolves.toBeDefined();
    expect(await refusal(`Bearer ${token}`, signedAtMs + 6_000)).toBe(expired);
  });

  test.each<[string, TokenParts]>([
    ["another key under the known id", { key: other.privateKey }],
    ["an unknown key id", { header: { kid: "k2" } }],
    ["no key id", { header: { kid: undefined } }],
    ["another type", { header: { typ: "JWT" } }],
    ["another issuer", { claims: { iss: "https://evil.test" } }],
    ["another audience", { claims: { aud: "warehouse" } }],
    ["no subject", { claims: { sub: undefined } }],
    ["an empty subject", { claims: { sub: "" } }],
    ["no expiry", { claims: { exp: undefined } }],
    ["a start in the future", { claims: { nbf: signedAt + 60 } }],
  ])("refuses a token with %s", async (_, parts) => {
    expect(await refusal(`Bearer ${await sign(parts)}`)).toBe(invalid);
  });

  test("refuses a token that was signed with the public key as a secret", async () => {
    const secret = trusted.publicKey.export({ type: "spki", format: "pem" });
    const token = await new SignJWT({ iss: issuer, aud: "shop", sub: "usr_1", exp: signedAt + 900 })
      .setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: "k1" })
      .sign(Buffer.from(secret));
    expect(await refusal(`Bearer ${token}`)).toBe(invalid);
  });

  test("refuses an unsigned token", async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = part({ iss: issuer, aud: "shop", sub: "usr_1", exp: signedAt + 900 });
    expect(await refusal(`Bearer ${part({ alg: "none", typ: "at+jwt", kid: "k1" })}.${claims}.`)).toBe(invalid);
  });

  test.each([
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Bearer a.b.c",
    "Bearer a b",
    "Basic dXNlcjpwdw==",
    `Bearer ${"a".repeat(5_000)}`,
  ])("refuses %j", async (authorization) => {
    expect(await refusal(authorization)).toBe(invalid);
  });

  test("tells what to do", async () => {
    await expect(authenticate("Bearer x")).rejects.toThrow(/AccountService\.LogIn/);
    await expect(authenticate(`Bearer ${await sign()}`, signedAtMs + 3_600_000)).rejects.toThrow(
      /expired.*log in again/,
    );
  });
});
