import type { Socket } from "node:net";

/** What becomes of a chunk. Held ones, and all behind them, wait for `release()`. */
export type Verdict = "pass" | "hold" | "drop" | { readonly delayMs: number };

/** One direction of a connection. */
export interface Pump {
  /** Lets what is held go on. */
  release(): void;
  /** Forgets what is held or under way. */
  close(): void;
}

/** Bytes that wait in a pump at most; the sender is not read any further then. */
const WAITING_BYTES_MAX = 256 * 1024;

type Waiting = { readonly chunk: Buffer | "end"; dueAt: number };

/** Copies from one socket to the other, in order, as `judge` says of each chunk. */
export function createPump(from: Socket, to: Socket, judge: (chunk: Buffer) => Verdict): Pump {
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let isHeld = false;
  let timer: NodeJS.Timeout | undefined;

  const write = (chunk: Buffer): void => {
    if (to.writable && !to.write(chunk)) from.pause();
  };
  const enqueue = (chunk: Buffer | "end", dueAt: number): void => {
    waiting.push({ chunk, dueAt });
    if (chunk !== "end") waitingBytes += chunk.length;
    if (waitingBytes > WAITING_BYTES_MAX) from.pause();
  };
  const flow = (): void => {
    clearTimeout(timer);
    const now = performance.now();
    for (let next = waiting[0]; next !== undefined && !isHeld; next = waiting[0]) {
      if (next.dueAt > now) {
        timer = setTimeout(flow, next.dueAt - now);
        break;
      }
      waiting.shift();
      if (next.chunk === "end") to.end();
      else {
        waitingBytes -= next.chunk.length;
        write(next.chunk);
      }
    }
    if (waitingBytes <= WAITING_BYTES_MAX && !to.writableNeedDrain) from.resume();
  };

  from.on("data", (chunk: Buffer) => {
    const verdict = isHeld ? "hold" : judge(chunk);
    if (verdict === "drop") return;
    if (verdict === "hold") {
      isHeld = true;
      enqueue(chunk, 0);
    } else if (verdict === "pass" && waiting.length === 0) write(chunk);
    else {
      enqueue(chunk, verdict === "pass" ? 0 : performance.now() + verdict.delayMs);
      flow();
    }
  });
  from.on("end", () => {
    enqueue("end", waiting.at(-1)?.dueAt ?? 0);
    flow();
  });
  to.on("drain", flow);

  return {
    release() {
      isHeld = false;
      flow();
    },
    close() {
      clearTimeout(timer);
      waiting.length = 0;
      waitingBytes = 0;
    },
  };
}
