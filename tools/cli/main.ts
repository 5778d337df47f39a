#!/usr/bin/env node
import { userInfo } from "node:os";
import { run } from "./cli.ts";

// `weft call ... | head` closes the pipe early: that is an ordinary end.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  workingDirectory: process.cwd(),
  isTerminal: process.stdout.isTTY,
  ...(process.stdin.isTTY && { setKeysAtOnce: (isOn: boolean) => void process.stdin.setRawMode(isOn) }),
  user: userName(),
});
// A standard input that nobody reads any more would keep the process alive.
process.stdin.destroy();

/** A container may run us as a user whom nobody has named. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? "";
  }
}
