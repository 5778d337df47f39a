import { Code, type ConnectError } from "@connectrpc/connect";
import { rpcError } from "@weft/mesh/contract";

/** An account, as its owner may see it. */
export interface User {
  userId: string;
  /** As normalizeEmail() makes it. */
  email: string;
  displayName: string;
  registeredAt: Date;
}

/** An account with the hash of its password (PHC format) and what its tokens allow. */
export interface Account extends User {
  passwordHash: string;
  scopes: readonly string[];
}

/** What every account may do; staff's may do more. */
export const customerScopes: readonly string[] = ["customer"];

/** What a customer has told of himself, and how he wants to be told of his orders. */
export interface Profile extends ProfileFields {
  readonly userId: string;
  readonly email: string;
  /** From 1, one more with each change. */
  readonly version: bigint;
}

/** What a customer can change of his profile. */
export interface ProfileFields {
  readonly displayName: string;
  /** E.164; empty if unknown. */
  readonly phone: string;
  /** The device's address at the push gateway; empty if it has none. */
  readonly pushToken: string;
  readonly notifyByEmail: boolean;
  readonly notifyBySms: boolean;
  readonly notifyByPush: boolean;
}

/** Paths of an update mask. */
const fieldOfPath: ReadonlyMap<string, keyof ProfileFields> = new Map([
  ["display_name", "displayName"],
  ["phone", "phone"],
  ["push_token", "pushToken"],
  ["notify_by_email", "notifyByEmail"],
  ["notify_by_sms", "notifyBySms"],
  ["notify_by_push", "notifyByPush"],
]);

/** Wrong paths that an error names, and how much of each. */
const pathsNamedMax = 5;
const pathNamedLengthMax = 40;

/**
 * The fields that a mask names, with their new values.
 *
 * @throws ConnectError INVALID_ARGUMENT naming update_mask and the path that is not a field of a profile or cannot be changed, or if it names
 * nothing; naming profile.display_name if that is to become empty
 */
export function maskedFields(paths: readonly string[], fields: ProfileFields): Partial<ProfileFields> {
  const wrong = paths.filter((path) => !fieldOfPath.has(path));
  if (paths.length === 0 || wrong.length > 0) throw badMask(wrong);
  const names = paths.flatMap((path) => fieldOfPath.get(path) ?? []);
  if (names.includes("displayName") && fields.displayName === "") {
    const description = "must not be empty";
    throw rpcError(Code.InvalidArgument, `profile.display_name ${description}`, {
      reason: "INVALID_FIELD",
      violations: [{ field: "profile.display_name", description }],
    });
  }
  return Object.fromEntries(names.map((name) => [name, fields[name]]));
}

/** The profile as it is with those fields; the same object if they are its already. */
export function withFields(profile: Profile, fields: Partial<ProfileFields>): Profile {
  const changed = { ...profile, ...fields };
  const isSame = [...fieldOfPath.values()].every((name) => changed[name] === profile[name]);
  return isSame ? profile : { ...changed, version: profile.version + 1n };
}

function badMask(wrong: readonly string[]): ConnectError {
  const known = `it can name ${[...fieldOfPath.keys()].join(", ")}`;
  const named = wrong.slice(0, pathsNamedMax).map((path) => JSON.stringify(path.slice(0, pathNamedLengthMax)));
  const descriptions =
    named.length === 0 ? [`names no field; ${known}`] : named.map((path) => `${path} cannot be changed; ${known}`);
  return rpcError(Code.InvalidArgument, `update_mask: ${named.join(", ") || "no field"} cannot be changed; ${known}`, {
    reason: "INVALID_FIELD",
    violations: descriptions.map((description) => ({ field: "update_mask", description })),
  });
}

/** The answer to a valid token whose account is gone. */
export function profileNotFound(): ConnectError {
  return rpcError(Code.NotFound, "this account does not exist any more", { reason: "PROFILE_NOT_FOUND" });
}

/** The form in which addresses are stored and compared: without regard to case. */
export function normalizeEmail(email: string): string {
  return email.trim().toLowerCase();
}

/** Register's answer when the address has an account. Does not repeat the address: errors are logged. */
export function emailTaken(): ConnectError {
  return rpcError(Code.AlreadyExists, "this e-mail address has an account already", {
    reason: "EMAIL_TAKEN",
    violations: [{ field: "email", description: "has an account already" }],
  });
}

/** LogIn's answer to a wrong address and to a wrong password: it does not say which. */
export function badCredentials(): ConnectError {
  return rpcError(Code.Unauthenticated, "e-mail address or password is wrong", { reason: "BAD_CREDENTIALS" });
}

/** The answer when more passwords wait to be hashed than can be hashed in good time. */
export function tooManyPasswords(retryDelayMs: number): ConnectError {
  return rpcError(Code.ResourceExhausted, "too many people register or log in at this moment", {
    reason: "PASSWORD_QUEUE_FULL",
    retryDelayMs,
  });
}
