import { formatTable } from "../../cli/output.ts";
import { type Pair, startPair } from "../pair.ts";
import type { PeerProcess } from "../peer-process.ts";
import { spreadOf } from "../ratios.ts";
import { prepare } from "../surroundings.ts";

/** Memory of one process after so many calls. */
export interface MemorySample {
  readonly calls: number;
  /** After a collection of garbage: what is held. */
  readonly heldBytes: number;
  /** What the system has given. */
  readonly residentBytes: number;
}

export interface MemoryFigures {
  readonly side: "client" | "server";
  readonly samples: readonly MemorySample[];
  /** The median of the last quarter of the samples by that of the first, which are already warm: 1 is flat. */
  readonly heldGrowth: number;
  readonly residentGrowth: number;
}

export interface MemoryPlan {
  readonly calls: number;
  readonly samples: number;
  /** No longer than this, however few calls that are. */
  readonly timeMs: number;
}

const inFlight = 256;
const stretchMs = 500;

/** Makes millions of calls and looks at the memory of both processes on the way. */
export async function measureMemory({ calls, samples, timeMs }: MemoryPlan): Promise<MemoryFigures[]> {
  await using resources = new AsyncDisposableStack();
  const { env } = await prepare(resources, ["bench", "caller"]);
  const pair = await startPair(resources, { name: "weft", server: "weft-server", client: "weft-client", env });
  const taken = { client: [] as MemorySample[], server: [] as MemorySample[] };
  const endsAt = performance.now() + timeMs;
  let made = 0;
  // One more than asked for: the first tenth is spent on getting warm.
  while (made < calls && performance.now() < endsAt) {
    made += await callFor(pair);
    if (made < ((taken.client.length + 1) * calls) / (samples + 1)) continue;
    for (const side of ["client", "server"] as const) taken[side].push(await sample(pair[side], made));
  }
  return [figuresOf("client", taken.client), figuresOf("server", taken.server)];
}

async function callFor({ client }: Pair): Promise<number> {
  const answer = await client.ask({ kind: "load", workload: "echo", inFlight, durationMs: stretchMs });
  if (!("calls" in answer)) throw new Error("the client measured nothing");
  return answer.calls;
}

async function sample(peer: PeerProcess, calls: number): Promise<MemorySample> {
  const answer = await peer.ask({ kind: "memory" });
  if (!("heldBytes" in answer)) throw new Error("the process does not know its memory");
  return { calls, ...answer };
}

/** @param samples in order */
export function figuresOf(side: MemoryFigures["side"], samples: readonly MemorySample[]): MemoryFigures {
  const part = Math.max(1, Math.floor(samples.length / 4));
  const growth = (figure: (one: MemorySample) => number): number =>
    spreadOf(samples.slice(-part).map(figure)).median / spreadOf(samples.slice(0, part).map(figure)).median;
  return {
    ...{ side, samples },
    heldGrowth: growth(({ heldBytes }) => heldBytes),
    residentGrowth: growth(({ residentBytes }) => residentBytes),
  };
}

export function formatMemory(figures: readonly MemoryFigures[]): string {
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
  const [client, server] = figures;
  const lines = (client?.samples ?? []).map((one, index) => {
    const other = server?.samples[index];
    const cells = [one, other].flatMap((each) => (each ? [mib(each.heldBytes), mib(each.residentBytes)] : []));
    return [(one.calls / 1e6).toFixed(1), ...cells];
  });
  const columns = ["million calls", "client holds MiB", "resident", "server holds MiB", "resident"];
  const growths = figures.map(
    ({ side, heldGrowth, residentGrowth }) =>
      `${side}: held ${heldGrowth.toFixed(3)} x, resident ${residentGrowth.toFixed(3)} x`,
  );
  return `${formatTable(columns, lines)}\n\nlast quarter by the first: ${growths.join("; ")}`;
}
