import type { CallStatus } from "./status.ts";

/** How `weft` ends: scripts tell a refused call from a typing error and from a stack that is not up. */
export const exitCodes = { ok: 0, callFailed: 1, usage: 2, unreachable: 3 } as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An end that the person who typed the command can do something about: printed without a stack. */
export class CliFailure extends Error {
  readonly exitCode: ExitCode;
  /** What to do next, one line. */
  readonly hint: string | undefined;
  /** The gRPC status, if it was a call that failed. */
  readonly status: CallStatus | undefined;

  constructor(
    exitCode: ExitCode,
    message: string,
    more: { hint?: string | undefined; status?: CallStatus; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = "CliFailure";
    this.exitCode = exitCode;
    this.hint = more.hint;
    this.status = more.status;
  }
}

/** Something typed is wrong. */
export function usageFailure(message: string, hint?: string, cause?: unknown): CliFailure {
  return new CliFailure(exitCodes.usage, message, { hint, cause });
}

/** The service, or what is needed to speak to it, is not there. */
export function unreachableFailure(message: string, hint: string, cause?: unknown): CliFailure {
  return new CliFailure(exitCodes.unreachable, message, { hint, cause });
}

/** The service answered with an error. */
export function callFailure(status: CallStatus, cause?: unknown): CliFailure {
  return new CliFailure(exitCodes.callFailed, status.message, { status, cause });
}
