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

/** An account with the hash of its password (PHC format). */
export interface Account extends User {
  passwordHash: string;
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
