import type { Io, OutputFormat } from "./output.ts";

/** How far something is, on a terminal in one line that changes, elsewhere in lines. */
export interface ProgressLine {
  /** @param of how much of it is done, for a bar */
  show(text: string, of: { readonly done: bigint; readonly total: bigint } | undefined, json: object): void;
  /** A line that stays. */
  print(text: string, json: object): void;
  /** The last line. */
  end(text: string, json: object): void;
}

const barLength = 24;
/** Lines that are read by a program or kept in a log: one in a while is enough. */
const lineEveryMs = 1_000;

export function createProgressLine(
  io: Io,
  format: OutputFormat,
  now: () => number = () => performance.now(),
): ProgressLine {
  const isLive = io.isTerminal === true && format === "text";
  let isShown = false;
  let toldMs = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (isShown) io.stdout("\r\x1b[K");
    isShown = false;
  };
  const write = (text: string, json: object) => io.stdout(`${format === "json" ? JSON.stringify(json) : text}\n`);
  const print = (text: string, json: object) => {
    clear();
    write(text, json);
  };
  return {
    print,
    end: print,
    show(text, of, json) {
      if (isLive) {
        io.stdout(`\r\x1b[K${of === undefined ? "" : `${bar(of)} `}${text}`);
        isShown = true;
      } else if (now() - toldMs >= lineEveryMs) {
        toldMs = now();
        write(text, json);
      }
    },
  };
}

function bar({ done, total }: { readonly done: bigint; readonly total: bigint }): string {
  const share = total === 0n ? 0 : Math.min(1, Number(done) / Number(total));
  const full = Math.round(share * barLength);
  return `[${"#".repeat(full)}${" ".repeat(barLength - full)}] ${String(Math.round(share * 100)).padStart(3)}%`;
}

/** 100000 as "100,000". */
export function withThousands(value: number | bigint): string {
  return value.toString().replaceAll(/\B(?=(\d{3})+$)/g, ",");
}
