import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Starts a catalog in a process of its own and waits until it takes calls; disposing kills it. */
export async function startCatalogProcess(environment: Readonly<Record<string, string>>): Promise<AsyncDisposable> {
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const env = { ...process.env, ...environment, LOG_LEVEL: "info" };
  const child = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "inherit"] });
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      if (chunk.includes('"serving"')) resolve();
    });
    child.once("exit", () => reject(new Error("the catalog ended before it was ready")));
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  await ready.catch(async (error) => {
    await stop();
    throw error;
  });
  return { [Symbol.asyncDispose]: stop };
}
