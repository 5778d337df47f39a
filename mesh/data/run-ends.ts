import { runInContext } from "../context/call-context.ts";
import type { ClaimedRow } from "./due-rows-table.ts";

type EndedRow = Pick<ClaimedRow, "key" | "leaseToken">;

/**
 * Runs that went well, and whose own last commit has said what is next: their leases are given back together. Nobody waits for that: a
 * row with nothing to do needs no lease to be left alone, and one that is due anew within the delay is taken after it.
 */
export interface RunEnds {
  add(row: EndedRow): void;
  /** Writes what has not been written yet. */
  flush(): Promise<void>;
}

export interface RunEndsOptions {
  readonly write: (rows: readonly EndedRow[]) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

const delayMs = 50;
/** Rows that one statement gives back. */
const rowsMax = 64;

export function createRunEnds({ write, onError }: RunEndsOptions): RunEnds {
  const ended: EndedRow[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const rows = ended.splice(0);
    writing = writing.then(async () => {
      for (let from = 0; from < rows.length; from += rowsMax) await write(rows.slice(from, from + rowsMax));
    });
    writing = writing.catch(onError);
    return writing;
  };

  return {
    add(row) {
      ended.push(row);
      // Outside of the run, which is over by then, and of its trace.
      if (ended.length >= rowsMax) void runInContext(undefined, flush);
      else timer ??= runInContext(undefined, () => setTimeout(flush, delayMs));
    },
    flush,
  };
}
