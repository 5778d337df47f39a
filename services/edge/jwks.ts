import { Code } from "@connectrpc/connect";
import { type Clock, rpcError } from "@weft/mesh/contract";
import type { Logger } from "@weft/mesh/telemetry";
import { type CryptoKey, importJWK, type JWK } from "jose";
import type { TokenKeys } from "./tokens.ts";

/** The user service is asked at most so often, however many tokens name keys that nobody knows. */
const askIntervalMs = 3_000;
/** Keys older than this are asked for again beside the call that uses them, so that a withdrawn key goes out of use. */
const refreshAfterMs = 5 * 60_000;
const keysMax = 32;
const jwksLengthMax = 64 * 1024;

/**
 * The public keys of access tokens, kept in memory. A key id that is not known makes it ask again; keys that it has
 * serve on while the user service is away.
 *
 * @param fetchJwks returns a JWK set as JSON (RFC 7517). Must be bounded in time, and not end with the call that
 * happens to need it: other calls wait for the same answer.
 */
export function createJwksCache(deps: { fetchJwks: () => Promise<string>; clock: Clock; logger: Logger }): TokenKeys {
  const { fetchJwks, clock, logger } = deps;
  let keys: ReadonlyMap<string, CryptoKey> = new Map();
  let fetchedAtMs = Number.NEGATIVE_INFINITY;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let failure: unknown;
  let asking: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    askedAtMs = clock.monotonic();
    try {
      keys = await parseJwks(await fetchJwks());
      fetchedAtMs = clock.monotonic();
      failure = undefined;
    } catch (error) {
      failure = error;
      logger.warn("access token keys could not be fetched", { error, keys_known: keys.size });
    }
  };
  const askOnce = (): Promise<void> => {
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
  const mayAsk = () => clock.monotonic() - askedAtMs >= askIntervalMs;

  return async (keyId) => {
    const known = keys.get(keyId);
    if (known !== undefined) {
      if (clock.monotonic() - fetchedAtMs >= refreshAfterMs && mayAsk()) void askOnce();
      return known;
    }
    if (asking !== undefined || mayAsk()) await askOnce();
    const found = keys.get(keyId);
    if (found === undefined && failure !== undefined) throw cannotTell(failure);
    return found;
  };
}

async function parseJwks(text: string): Promise<Map<string, CryptoKey>> {
  if (text.length > jwksLengthMax) throw new Error(`a JWK set of ${text.length} characters is refused`);
  const { keys } = JSON.parse(text) as { keys: JWK[] };
  const usable = keys.filter(({ kty, crv, use = "sig" }) => kty === "EC" && crv === "P-256" && use === "sig");
  const imported = usable.slice(0, keysMax).map(async (jwk) => [jwk.kid ?? "", await importPublicKey(jwk)] as const);
  return new Map(await Promise.all(imported));
}

async function importPublicKey({ kty, crv, x, y }: JWK): Promise<CryptoKey> {
  const key = await importJWK({ kty, crv, x, y } as JWK, "ES256");
  if (key instanceof Uint8Array) throw new Error("a symmetric key among the public ones");
  return key;
}

function cannotTell(cause: unknown) {
  return rpcError(Code.Unavailable, "access tokens cannot be checked at the moment: try again shortly", {
    reason: "TOKEN_KEYS_UNAVAILABLE",
    retryDelayMs: askIntervalMs,
    cause,
  });
}
