import { type LoadResult, percentile } from "../load.ts";
import { startPeer } from "../peer-process.ts";
import { prepare } from "../surroundings.ts";

/** Calls between two services of one process. */
export interface InProcessFigures {
  readonly inFlight: number;
  /** Of one core: by CPU time where the process used more than the time of one. */
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly cpuUsPerCall: number;
}

export interface InProcessPlan {
  readonly rounds: number;
  readonly sliceMs: number;
  readonly warmUpMs: number;
}

/** Measures echo calls within one process, the whole pipeline of both sides with them. */
export async function measureInProcess(plan: InProcessPlan): Promise<InProcessFigures> {
  await using resources = new AsyncDisposableStack();
  const { env } = await prepare(resources, ["bench", "caller"]);
  const peer = resources.use(startPeer("weft-in-process", { env }));
  const inFlight = 64;
  const load = async (durationMs: number): Promise<LoadResult> => {
    const answer = await peer.ask({ kind: "load", workload: "echo", inFlight, durationMs });
    if (!("calls" in answer)) throw new Error("the process measured nothing");
    return answer;
  };
  await load(plan.warmUpMs);
  const slices: LoadResult[] = [];
  for (let round = 0; round < plan.rounds; round++) slices.push(await load(plan.sliceMs));
  const median = (figure: (slice: LoadResult) => number): number => percentile(slices.map(figure), 0.5);
  return {
    inFlight,
    callsPerSecond: median(({ calls, callsPerSecond, cpuMs }) => Math.min(callsPerSecond, (calls / cpuMs) * 1000)),
    p50Ms: median(({ p50Ms }) => p50Ms),
    cpuUsPerCall: median(({ calls, cpuMs }) => (cpuMs * 1000) / calls),
  };
}

export function formatInProcess({ inFlight, callsPerSecond, p50Ms, cpuUsPerCall }: InProcessFigures): string {
  const calls = `${Math.round(callsPerSecond)} calls/s on one core`;
  return `echo within a process, ${inFlight} in flight: ${calls}, p50 ${p50Ms.toFixed(3)} ms, ${cpuUsPerCall.toFixed(1)} us of CPU a call`;
}
