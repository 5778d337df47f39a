import { ConnectError } from "@connectrpc/connect";
import { errorReason } from "../contract/errors.ts";
import { isDatabaseUnavailable } from "./errors.ts";

/** Whether an error says that the reply to a COMMIT was lost, so that it may have happened or not. */
export function isCommitUnknown(error: unknown): boolean {
  return error instanceof ConnectError && errorReason(error) === "COMMIT_OUTCOME_UNKNOWN";
}

/**
 * Runs a transaction, and once more if nobody knows whether it was committed. Only for one that looks before it writes, and locks what it
 * looks at (`FOR UPDATE`): the lock is had only when the first is over, one way or the other, so that what is read then is what has
 * become of it. If that cannot be found out either, it stays COMMIT_OUTCOME_UNKNOWN.
 */
export async function resolveCommit<T>(transaction: () => Promise<T>, again = transaction): Promise<T> {
  try {
    return await transaction();
  } catch (error) {
    if (!isCommitUnknown(error)) throw error;
    return await again().catch((second) => {
      throw isDatabaseUnavailable(second) ? error : second;
    });
  }
}
