import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** What a check found. */
export interface Findings {
  /** One line each: where, and what is wrong. */
  readonly problems: readonly string[];
  /** What was looked at, for the line that says all is well: "22 files". */
  readonly seen: string;
}

/** The repository that this script belongs to. */
export const repositoryRoot = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Runs a check as a command: on the repository, or on the folder that the first argument names. Prints each problem, and
 * exits 1 if there is one.
 */
export async function runCheck(name: string, check: (root: string) => Promise<Findings>): Promise<void> {
  const { problems, seen } = await check(resolve(process.argv[2] ?? repositoryRoot));
  if (problems.length === 0) {
    console.log(`${name}: ok (${seen})`);
    return;
  }
  for (const problem of problems) console.error(problem);
  console.error(`${name}: ${problems.length} ${problems.length === 1 ? "problem" : "problems"} (${seen})`);
  process.exitCode = 1;
}
