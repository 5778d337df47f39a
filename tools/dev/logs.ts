import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { styleText } from "node:util";
import { followLogs } from "./supervisor/follow.ts";
import { stackDirectory } from "./supervisor/settings.ts";

const POLL_INTERVAL_MS = 200;
const TAIL_BYTES = 2_000;
const NAME_WIDTH = 16;
const COLOURS = ["cyan", "yellow", "green", "magenta", "blue", "red", "gray"] as const;

/** `make logs`: follows all logs of the stack, each line after the name of who wrote it. Names as arguments choose some. */
async function logs(names: readonly string[]): Promise<never> {
  const directory = join(stackDirectory(process.env), "logs");
  const next = followLogs({ directory, names, tailBytes: TAIL_BYTES });
  const coloured = process.stdout.isTTY && !process.env.NO_COLOR;
  const colours = new Map<string, (typeof COLOURS)[number]>();
  const label = (name: string): string => {
    const text = name.padEnd(NAME_WIDTH);
    const colour = colours.get(name) ?? COLOURS[colours.size % COLOURS.length] ?? "gray";
    colours.set(name, colour);
    return coloured ? styleText(colour, text) : text;
  };
  for (;;) {
    const lines = await next();
    if (lines.length > 0) process.stdout.write(lines.map(({ name, text }) => `${label(name)} ${text}\n`).join(""));
    else await pause(POLL_INTERVAL_MS);
  }
}

if (import.meta.main) {
  // `make logs | head` closes the pipe when it has enough.
  process.stdout.on("error", () => process.exit(0));
  process.once("SIGINT", () => process.exit(0));
  await logs(process.argv.slice(2));
}
