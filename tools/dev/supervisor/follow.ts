import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** A line of some log. */
export interface LogLine {
  /** The name of its file without `.log`. */
  readonly name: string;
  readonly text: string;
}

export interface FollowOptions {
  readonly directory: string;
  /** Only these; all if empty. */
  readonly names: readonly string[];
  /** How many bytes from the end of each to begin with. */
  readonly tailBytes: number;
}

interface Followed {
  offset: number;
}

const READ_BYTES_MAX = 256 * 1024;

/**
 * Follows the logs of a folder: each call of the function it returns gives the lines that came since the last. Files that
 * appear later are followed from their beginning; one that shrank was replaced, and is read anew.
 */
export function followLogs({ directory, names, tailBytes }: FollowOptions): () => Promise<LogLine[]> {
  const files = new Map<string, Followed>();
  let first = true;
  return async () => {
    const lines: LogLine[] = [];
    for (const name of await logNames(directory)) {
      if (names.length > 0 && !names.includes(name)) continue;
      const file = join(directory, `${name}.log`);
      const size = (await stat(file)).size;
      const start = first ? Math.max(0, size - tailBytes) : 0;
      let followed = files.get(name);
      if (followed === undefined || size < followed.offset) {
        followed = { offset: start };
        files.set(name, followed);
      }
      const cut = first && start > 0;
      const fresh = await readOn(file, followed, size);
      // The first line of a tail is half a line.
      lines.push(...(cut ? fresh.slice(1) : fresh).map((text) => ({ name, text })));
    }
    first = false;
    return lines;
  };
}

async function logNames(directory: string): Promise<string[]> {
  const entries = await readdir(directory).catch(() => []);
  return entries.filter((entry) => entry.endsWith(".log")).map((entry) => entry.slice(0, -".log".length));
}

async function readOn(file: string, followed: Followed, size: number): Promise<string[]> {
  const length = Math.min(size - followed.offset, READ_BYTES_MAX);
  if (length <= 0) return [];
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, followed.offset);
  // Up to the last line end only: half a line may also be half a character.
  const whole = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
  // A line longer than all that is read at once is passed on in pieces.
  const taken = whole > 0 || bytesRead < READ_BYTES_MAX ? whole : bytesRead;
  followed.offset += taken;
  const text = buffer.subarray(0, taken).toString("utf8");
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}
