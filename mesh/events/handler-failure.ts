import { isDatabaseUnavailable } from "../data/errors.ts";

/** The handler's own failure, its cause: counts against the event. Any other is the inbox's, and does not. */
export class HandlerFailure extends Error {}

/** A failure that counts against the event: the handler's, unless the database was only away under it. */
export function isHandlers(error: unknown): error is HandlerFailure {
  return error instanceof HandlerFailure && !isDatabaseUnavailable(error);
}
