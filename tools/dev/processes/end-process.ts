import { isAlive, type ProcessIdentity } from "./identity.ts";
import { waitUntil } from "./wait.ts";

const KILL_TIMEOUT_MS = 5_000;

/** Ends a process that is no child of ours: SIGTERM, then SIGKILL after `timeoutMs`. Only ever that very process. */
export async function endProcess(identity: ProcessIdentity, timeoutMs: number): Promise<void> {
  const gone = async () => !isAlive(identity);
  const what = `the end of process ${identity.pid}`;
  signal(identity, "SIGTERM");
  // A process that was stopped by a signal sees the first one only now.
  signal(identity, "SIGCONT");
  try {
    await waitUntil(gone, { what, timeoutMs });
  } catch {
    signal(identity, "SIGKILL");
    await waitUntil(gone, { what, timeoutMs: KILL_TIMEOUT_MS });
  }
}

function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
