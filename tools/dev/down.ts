import { bringDown } from "./supervisor/bring-up.ts";
import { stackDirectory } from "./supervisor/settings.ts";

/** `make down`: ends the stack, wholly. */
async function down(): Promise<void> {
  const directory = stackDirectory(process.env);
  const write = (line: string) => process.stdout.write(`${line}\n`);
  const ended = await bringDown(directory, write);
  write(ended ? `stopped; the data stays in ${directory}` : "nothing was running");
}

if (import.meta.main) {
  try {
    await down();
  } catch (error) {
    process.stderr.write(`make down: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
