import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SettingError } from "@weft/mesh/contract";
import { calculateJwkThumbprint, createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAccessTokens, loadTokenKey } from "./tokens.ts";

const now = Date.parse("2026-03-01T12:00:00.900Z");

function tokensOf(key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey) {
  const clock = { now: () => now, monotonic: () => 0 };
  return createAccessTokens({ key, issuer: "https://shop.test", clock, newTokenId: () => "id-1" });
}

function verify(token: string, jwksJson: string, nowMs: number) {
  return jwtVerify(token, createLocalJWKSet(JSON.parse(jwksJson)), {
    algorithms: ["ES256"],
    issuer: "https://shop.test",
    audience: "shop",
    typ: "at+jwt",
    currentDate: new Date(nowMs),
  });
}

describe("an access token", () => {
  test("is verified with the published keys and says who, for whom and how long", async () => {
    const { issue, jwksJson } = await tokensOf();
    const { token, expiresInMs } = await issue("usr_1", ["customer"]);
    const { payload } = await verify(token, jwksJson, now);
    const iat = Math.floor(now / 1000);
    expect(payload).toEqual({
      ...{ iss: "https://shop.test", aud: "shop", sub: "usr_1", scope: "customer", jti: "id-1" },
      ...{ iat, exp: iat + 900 },
    });
    expect(expiresInMs).toBe(900_000);
  });

  test("carries all that a clerk may do", async () => {
    const { issue, jwksJson } = await tokensOf();
    const { token } = await issue("usr_1", ["customer", "warehouse"]);
    expect((await verify(token, jwksJson, now)).payload.scope).toBe("customer warehouse");
  });

  test("is refused when its 15 minutes are over", async () => {
    const { issue, jwksJson } = await tokensOf();
    const { token } = await issue("usr_1", ["customer"]);
    await expect(verify(token, jwksJson, now + 901_000)).rejects.toThrow(/exp/);
  });

  test("is refused with another key", async () => {
    const { token } = await (await tokensOf()).issue("usr_1", ["customer"]);
    await expect(verify(token, (await tokensOf()).jwksJson, now)).rejects.toThrow();
  });

  test("names its key by the thumbprint, and the published key has nothing private", async () => {
    const { issue, jwksJson } = await tokensOf();
    const [key] = JSON.parse(jwksJson).keys;
    expect(Object.keys(key).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
    expect(key.kid).toBe(await calculateJwkThumbprint(key));
    expect(decodeProtectedHeader((await issue("usr_1", ["customer"])).token).kid).toBe(key.kid);
  });
});

describe("loadTokenKey()", () => {
  async function fileWith(text: string): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), "weft-token-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const file = join(directory, "key.pem");
    await writeFile(file, text);
    return file;
  }
  const pem = (namedCurve: string) =>
    generateKeyPairSync("ec", { namedCurve }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();

  test("reads a P-256 key", async () => {
    expect((await loadTokenKey(await fileWith(pem("P-256")))).type).toBe("private");
  });

  test.each([
    ["a file that is not there", async () => "/nowhere/key.pem"],
    ["a file without a key", () => fileWith("hello")],
    ["a key on another curve", () => fileWith(pem("P-384"))],
  ])("names the setting of %s", async (_, file) => {
    const error = await loadTokenKey(await file()).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SettingError);
    expect(String(error)).toContain("TOKEN_KEY_FILE=");
  });
});
