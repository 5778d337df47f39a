import { identify } from "./processes/identity.ts";
import { portsFromBase } from "./stack/ports.ts";
import { createStack, type Stack } from "./stack.ts";
import { serveControl } from "./supervisor/control.ts";
import type { StackSettings } from "./supervisor/settings.ts";
import { stateFiles } from "./supervisor/state.ts";

const RENEWAL_INTERVAL_MS = 60 * 60 * 1_000;

/**
 * The process behind `make up`: owns the stack of one folder, takes orders from `up` and `down`, and takes everything with it
 * when it ends. What dies is not started again by itself: a crash stays visible until somebody says `make up`.
 */
async function supervise(directory: string, settings: StackSettings): Promise<void> {
  const files = stateFiles(directory);
  const own = identify(process.pid);
  if (own === undefined) throw new Error("this system does not tell about its processes");
  const log = (line: string) => process.stdout.write(`${new Date().toISOString()} ${line}\n`);
  let hear: (line: string) => void = log;
  const stack = await createStack({
    directory,
    ports: portsFromBase(settings.portBase, settings.edgePort),
    topology: settings.topology,
    engineUrls: settings.engineUrls,
    history: settings.history,
    env: settings.env,
    say: (line) => hear(line),
  });
  const note = () => files.writeChildren(pidsOf(stack));
  let starting: Promise<unknown> = Promise.resolve();
  const stop = async (): Promise<void> => {
    log("stopping");
    // A start under way finds its processes gone and gives up; what it started meanwhile is stopped as well.
    await Promise.allSettled([stack.stop(), starting]);
    await stack.stop();
    await files.remove();
    log("stopped");
  };
  const { port, token } = await serveControl({
    async start(say) {
      await starting.catch(() => undefined);
      hear = (line) => {
        log(line);
        say(line);
        // Written down as they come, so that even a supervisor that is killed now leaves nobody unknown.
        note().catch((error: Error) => log(error.message));
      };
      const work = stack.start();
      starting = work;
      try {
        const started = await work;
        return { members: stack.status(), addresses: stack.addresses, started };
      } finally {
        hear = log;
        await note();
      }
    },
    async stop() {
      await stop();
      // After the answer has left.
      setImmediate(() => process.exit(0));
    },
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      stop().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
  setInterval(() => {
    stack.renewCertificates().then(
      (count) => count > 0 && log(`${count} certificates renewed`),
      (error: Error) => log(`certificates were not renewed: ${error.message}`),
    );
  }, RENEWAL_INTERVAL_MS);
  await files.writeSupervisor({ process: own, port, token, settings });
  log(`supervising ${directory}`);
}

function pidsOf(stack: Stack): number[] {
  return stack.status().flatMap(({ pid }) => pid ?? []);
}

if (import.meta.main) {
  const [, , directory, settings] = process.argv;
  if (!directory || !settings) {
    process.stderr.write("started by up.ts: node tools/dev/supervisor.ts <directory> <settings as JSON>\n");
    process.exit(1);
  }
  await supervise(directory, JSON.parse(settings) as StackSettings);
}
