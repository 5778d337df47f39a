import { randomUUID } from "node:crypto";
import { link, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { readIfThere } from "./files.ts";
import { identify, isAlive, type ProcessIdentity } from "./identity.ts";
import { waitUntil } from "./wait.ts";

export interface LockOptions {
  /** How long to wait for whoever holds it. */
  readonly timeoutMs: number;
  /** Told once, when somebody else holds it. */
  readonly onWait?: (holder: ProcessIdentity) => void;
}

/** Does `work` while no other process holds the lock of this file. One whose holder is dead counts as free. */
export async function withLock<T>(file: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const own = JSON.stringify(identify(process.pid));
  let told = false;
  const acquire = async (): Promise<boolean> => {
    if (await createWith(file, own)) return true;
    const holder = await readHolder(file);
    if (holder === undefined) return false;
    if (!isAlive(holder)) await removeStale(file, holder);
    else if (!told) {
      told = true;
      options.onWait?.(holder);
    }
    return false;
  };
  await waitUntil(acquire, { what: `the lock ${file}`, timeoutMs: options.timeoutMs, intervalMs: 100 });
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

/** Creates the file with its content in one step, by a link: nobody ever reads an empty lock. */
async function createWith(file: string, text: string): Promise<boolean> {
  const unlinked = `${file}.${randomUUID()}`;
  await writeFile(unlinked, text);
  try {
    await link(unlinked, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(unlinked, { force: true });
  }
}

/** Takes away the lock of a dead process. Two may try that at once, and the slower must not take the faster one's new lock. */
async function removeStale(file: string, holder: ProcessIdentity): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  const moved = await rename(file, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  const taken = await readHolder(aside);
  if (taken && (taken.pid !== holder.pid || taken.began !== holder.began))
    await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}

async function readHolder(file: string): Promise<ProcessIdentity | undefined> {
  const text = await readIfThere(file);
  return text === undefined ? undefined : (JSON.parse(text) as ProcessIdentity);
}
