import { ContractError } from "../contract/policy.ts";
import { type Env, SettingError } from "../contract/settings.ts";

/** How long an orderly end may take before the process ends anyway. */
export const shutdownTimeoutMs = 20_000;

/**
 * Runs a service as a process of its own: environment -> configuration -> start -> drain on SIGTERM or SIGINT. The one place,
 * with each service's main.ts, that touches the process.
 */
export async function runMain<Config>(
  service: string,
  loadConfig: (env: Env) => Config,
  start: (config: Config) => Promise<AsyncDisposable>,
): Promise<void> {
  let running: AsyncDisposable;
  try {
    running = await start(loadConfig(process.env));
  } catch (error) {
    process.stderr.write(`${service}: cannot start: ${describe(error)}\n`);
    process.exit(1);
  }
  const signal = await new Promise<string>((resolve) => {
    process.once("SIGTERM", resolve).once("SIGINT", resolve);
  });
  const timer = setTimeout(() => {
    process.stderr.write(`${service}: ${signal}: still busy after ${shutdownTimeoutMs} ms, ending anyway\n`);
    process.exit(1);
  }, shutdownTimeoutMs);
  await running[Symbol.asyncDispose]();
  clearTimeout(timer);
  process.exit(0);
}

/** What a person needs to mend it: the message alone where it says all, else the stack too. */
function describe(error: unknown): string {
  if (error instanceof SettingError || error instanceof ContractError) return error.message;
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? (error.stack ?? error.message)
    : `${error.stack}\ncaused by: ${describe(error.cause)}`;
}
