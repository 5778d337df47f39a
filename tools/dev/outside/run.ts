/** Runs one outside party as a process: says where it listens, ends cleanly on SIGTERM and SIGINT. */
export async function runOutsideParty(name: string, start: () => Promise<AsyncDisposable>): Promise<void> {
  try {
    const party = await start();
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => {
        Promise.resolve(party[Symbol.asyncDispose]()).then(
          () => process.exit(0),
          () => process.exit(1),
        );
      });
    }
    process.stdout.write(`${name}: ready\n`);
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

/** A port number from the environment; an Error names the variable when it is missing or no port. */
export function portFrom(env: Readonly<Record<string, string | undefined>>, name: string): number {
  const port = Number(env[name]);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`${name} must be a port, not "${env[name]}"`);
  return port;
}
