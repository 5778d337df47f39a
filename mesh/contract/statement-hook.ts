/**
 * Told of each named statement, before it is sent and after it has succeeded, a COMMIT ("<transaction>.commit") included. What it
 * returns is waited for; what it throws is the statement's error. Thrown before a COMMIT it is a connection lost before the
 * server heard of it, after a COMMIT a lost reply. For a harness that stops a process at an exact place: decision 0027.
 */
export type StatementHook = (when: "before" | "after", name: string) => void | Promise<void>;
