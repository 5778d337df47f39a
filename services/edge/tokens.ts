import { Code, type ConnectError } from "@connectrpc/connect";
import type { EndUser } from "@weft/mesh/context";
import { type Clock, rpcError } from "@weft/mesh/contract";
import { type CryptoKey, errors, type JWTPayload, jwtVerify } from "jose";

/** Finds the public key with an id; undefined if there is none. @throws ConnectError UNAVAILABLE if that cannot be told */
export type TokenKeys = (keyId: string) => Promise<CryptoKey | undefined>;

/** Verifies what a caller's headers say of the end user; undefined if they say nothing. */
export type Authenticate = (headers: Headers) => Promise<EndUser | undefined>;

const audience = "shop";
const tokenLengthMax = 4_096;
/** The clocks of two machines are rarely further apart. */
const clockToleranceSeconds = 5;

/**
 * Verifies access tokens: JWTs of type at+jwt (RFC 9068), signed with ES256 for the audience "shop".
 *
 * @throws (the returned function) ConnectError UNAUTHENTICATED with reason TOKEN_INVALID or TOKEN_EXPIRED
 */
export function createAuthenticate(deps: { keys: TokenKeys; issuer: string; clock: Clock }): Authenticate {
  return async (headers) => {
    const authorization = headers.get("authorization");
    if (authorization === null) return undefined;
    const token = /^Bearer +([\w.~+/=-]+)$/i.exec(authorization.trim())?.[1];
    if (token === undefined || token.length > tokenLengthMax) throw invalidToken();
    return toEndUser(await verify(token, deps));
  };
}

async function verify(token: string, deps: { keys: TokenKeys; issuer: string; clock: Clock }): Promise<JWTPayload> {
  const findKey = async ({ kid }: { kid?: string }): Promise<CryptoKey> => {
    const key = kid === undefined ? undefined : await deps.keys(kid);
    if (key === undefined) throw new errors.JWKSNoMatchingKey();
    return key;
  };
  try {
    const { payload } = await jwtVerify(token, findKey, {
      algorithms: ["ES256"],
      issuer: deps.issuer,
      audience,
      typ: "at+jwt",
      requiredClaims: ["sub", "exp"],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(deps.clock.now()),
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw expiredToken(error);
    if (error instanceof errors.JOSEError) throw invalidToken(error);
    throw error;
  }
}

function toEndUser({ sub, scope }: JWTPayload): EndUser {
  if (typeof sub !== "string" || sub === "") throw invalidToken();
  const scopes = typeof scope === "string" ? scope.split(" ").filter((item) => item !== "") : [];
  return { userId: sub, scopes };
}

function expiredToken(cause: unknown): ConnectError {
  return rpcError(Code.Unauthenticated, "the access token has expired: log in again (AccountService.LogIn)", {
    reason: "TOKEN_EXPIRED",
    cause,
  });
}

function invalidToken(cause?: unknown): ConnectError {
  return rpcError(
    Code.Unauthenticated,
    'the access token is not valid: send one that AccountService.LogIn returned, as "Authorization: Bearer <token>"',
    { reason: "TOKEN_INVALID", cause },
  );
}
