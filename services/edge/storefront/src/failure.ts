import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";

/** An error in the words of somebody who wants to buy a coffee mill. */
export interface Failure {
  readonly title: string;
  readonly message: string;
  /** To be quoted when one asks for help; empty if no answer came. */
  readonly requestId: string;
  /** Whether the same again may help. */
  readonly canRetry: boolean;
}

type Words = Omit<Failure, "requestId">;

const away: Words = {
  title: "Part of the shop is not answering",
  message: "It is not you. We are on it; please try again in a moment.",
  canRetry: true,
};
const broken: Words = {
  title: "Something broke on our side",
  message: "We have been told. Please try again; if it stays, quote the number below to us.",
  canRetry: true,
};
const offline: Words = {
  title: "No connection",
  message: "We could not reach the shop. Check your network, then try again.",
  canRetry: true,
};

const notForYou: Words = {
  title: "For staff only",
  message: "Your account does not have the right to this. If it should, ask whoever looks after accounts.",
  canRetry: false,
};

const tooLate: Words = {
  title: "Too late for that",
  message: "The order has moved on meanwhile. Load this page again to see how it is now.",
  canRetry: false,
};

/** Where the reason says more than the code. */
const wordsByReason: Readonly<Record<string, Words>> = { SCOPE_MISSING: notForYou, ORDER_STATE: tooLate };

const wordsByCode: Partial<Record<Code, Words>> = {
  [Code.Unavailable]: away,
  [Code.DeadlineExceeded]: { ...away, title: "This took too long" },
  [Code.Internal]: broken,
  [Code.DataLoss]: broken,
  [Code.Unimplemented]: broken,
  [Code.NotFound]: {
    title: "We cannot find that",
    message: "It may be gone by now, or the link is mistyped.",
    canRetry: false,
  },
  [Code.Unauthenticated]: { title: "Please log in", message: "Your session has ended.", canRetry: false },
  [Code.PermissionDenied]: { title: "Not yours", message: "This belongs to somebody else.", canRetry: false },
};

export function describeFailure(error: unknown): Failure {
  const found = ConnectError.from(error);
  const requestId = found.metadata.get("x-request-id") ?? "";
  return { ...wordsFor(found, requestId), requestId };
}

function wordsFor(error: ConnectError, requestId: string): Words {
  // fetch() says no more than TypeError when nobody answers.
  if (error.cause instanceof TypeError && requestId === "") return offline;
  if (error.code === Code.ResourceExhausted) return { ...away, title: "Too much at once", message: waitMessage(error) };
  if (error.code === Code.Unknown) return broken;
  return wordsByReason[reasonOf(error)] ?? wordsOfCode(error);
}

function wordsOfCode(error: ConnectError): Words {
  return (
    wordsByCode[error.code] ?? { title: "That did not work", message: sentence(error.rawMessage), canRetry: false }
  );
}

function waitMessage(error: ConnectError): string {
  const seconds = Number(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds ?? 0n);
  return seconds > 1 ? `Please wait ${seconds} seconds, then try again.` : "Please wait a moment, then try again.";
}

/** What is wrong with which field of the request, by the field's name in the contract. */
export function fieldFailures(error: unknown): ReadonlyMap<string, string> {
  const details = ConnectError.from(error).findDetails(BadRequestSchema);
  return new Map(details.flatMap((each) => each.fieldViolations.map((one) => [one.field, sentence(one.description)])));
}

/** The error's machine-readable reason: "TOKEN_EXPIRED"; empty if it has none. */
export function reasonOf(error: ConnectError): string {
  return error.findDetails(ErrorInfoSchema)[0]?.reason ?? "";
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}
