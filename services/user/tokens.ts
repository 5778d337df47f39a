import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Clock, SettingError } from "@weft/mesh/contract";
import { calculateJwkThumbprint, exportJWK, SignJWT } from "jose";
import type { AccessTokens } from "./usecases.ts";

const lifetimeMs = 15 * 60_000;
const audience = "shop";

/** Reads an EC P-256 private key from a PEM file. @throws SettingError naming TOKEN_KEY_FILE */
export async function loadTokenKey(file: string): Promise<KeyObject> {
  let key: KeyObject;
  try {
    key = createPrivateKey(await readFile(file));
  } catch (cause) {
    throw new SettingError(`TOKEN_KEY_FILE=${file} has no private key in PEM: ${(cause as Error).message}`, { cause });
  }
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new SettingError(`TOKEN_KEY_FILE=${file} has a key for something else than ES256: it must be EC P-256`);
  }
  return key;
}

/** ES256 access tokens (JWT, RFC 9068's type and claims), valid for 15 minutes. */
export async function createAccessTokens(options: {
  key: KeyObject;
  issuer: string;
  clock: Clock;
  /** A text that was never before: the token's jti. */
  newTokenId: () => string;
}): Promise<AccessTokens> {
  const { key, issuer, clock, newTokenId } = options;
  const publicJwk = await exportJWK(createPublicKey(key));
  // RFC 7638: the key names itself, so that a new key gets a new name.
  const kid = await calculateJwkThumbprint(publicJwk);
  const alg = "ES256";
  return {
    jwksJson: JSON.stringify({ keys: [{ ...publicJwk, kid, alg, use: "sig" }] }),

    async issue(userId, scopes) {
      const issuedAtSeconds = Math.floor(clock.now() / 1000);
      const token = await new SignJWT({ scope: scopes.join(" ") })
        .setProtectedHeader({ alg, typ: "at+jwt", kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setJti(newTokenId())
        .setIssuedAt(issuedAtSeconds)
        .setExpirationTime(issuedAtSeconds + lifetimeMs / 1000)
        .sign(key);
      return { token, expiresInMs: lifetimeMs };
    },
  };
}
