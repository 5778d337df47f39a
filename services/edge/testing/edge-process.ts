import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChild, tailOf } from "../../../tools/dev/processes/child.ts";
import { residentBytes } from "../../../tools/dev/processes/identity.ts";
import { freePort } from "../../../tools/dev/processes/ports.ts";
import { waitUntil } from "../../../tools/dev/processes/wait.ts";

/** An edge in a process of its own, whose memory is bounded and can be looked at. */
export interface EdgeProcess extends AsyncDisposable {
  /** As the system counts it: what garbage is not collected yet, too. */
  residentBytes(): number;
  /** What is in use after a collection of what is garbage, buffers included. */
  usedBytes(): Promise<number>;
}

/** What a process has here that a pod would be given: V8 ends one that does not manage with it. */
const heapMbMax = 256;

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

/** @param env of the edge, EDGE_ADDR among it; @param directory for its log */
export async function startEdgeProcess(
  env: Readonly<Record<string, string | undefined>>,
  directory: string,
): Promise<EdgeProcess> {
  const inspectorPort = await freePort();
  const child = await startChild({
    name: "edge",
    command: process.execPath,
    args: [`--max-old-space-size=${heapMbMax}`, `--inspect=127.0.0.1:${inspectorPort}`, main],
    env: { PATH: process.env.PATH, ...env },
    logFile: join(directory, "edge.log"),
  });
  try {
    await waitUntil(async () => (await fetch(`http://${env.EDGE_ADDR}/healthz`)).ok, {
      what: "the edge is not healthy",
      timeoutMs: 30_000,
      giveUp: () => (child.exit() === undefined ? undefined : "it ended"),
    });
  } catch (error) {
    await child.stop();
    throw new Error(await tailOf(child.logFile), { cause: error });
  }
  return {
    residentBytes: () => residentBytes(child.pid) ?? 0,
    usedBytes: () => usedBytes(inspectorPort),
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

/** @see https://chromedevtools.github.io/devtools-protocol/ */
async function usedBytes(port: number): Promise<number> {
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
    webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(target?.webSocketDebuggerUrl ?? "");
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const ask = (id: number, method: string) =>
    new Promise<Record<string, number>>((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        const answer = JSON.parse(String(data)) as { id?: number; result: Record<string, number> };
        if (answer.id === id) resolve(answer.result);
      });
      socket.send(JSON.stringify({ id, method }));
    });
  await ask(1, "HeapProfiler.collectGarbage");
  await ask(2, "HeapProfiler.collectGarbage");
  const { usedSize = 0, backingStorageSize = 0 } = await ask(3, "Runtime.getHeapUsage");
  socket.close();
  return usedSize + backingStorageSize;
}
