import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { between, type Fault } from "./fault.ts";

/** NATS's folder is a file system of its own (`stack/small-disk.ts`): ballast fills it to the last byte. */
const natsDiskFull: Fault = {
  kind: "disk-full-nats",
  what: "NATS can write no more; the ballast is taken away and NATS started again, as an operator would",
  needsRoot: true,
  async inject(world, random) {
    const ballast = join(world.stack.directory, "engines", "nats", "ballast");
    fill(ballast);
    const lastsMs = between(random, 3_000, 5_000);
    let unpublished = 0;
    return {
      lastsMs,
      hits: () => unpublished,
      async heal() {
        unpublished = (await Promise.all((["order", "inventory", "payment"] as const).map(world.unpublished))).flat()
          .length;
        rmSync(ballast);
        await world.kill("nats");
        await pause(100);
      },
    };
  },
};

const CHUNK = Buffer.alloc(1024 * 1024);

function fill(file: string): void {
  for (let bytes = CHUNK.length; bytes >= 1; ) {
    try {
      writeFileSync(file, CHUNK.subarray(0, bytes), { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      bytes = Math.floor(bytes / 2);
    }
  }
}

export const disk: readonly Fault[] = [natsDiskFull];
