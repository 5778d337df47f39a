/** What V8 writes with --cpu-prof, and what its inspector answers. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  /** Microseconds of the system's monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** Milliseconds by name, the greatest first. */
export type SelfTimes = readonly (readonly [name: string, ms: number])[];

/**
 * Adds up self time by a name for each function, from a moment of the system's monotonic clock on. Idle time and
 * the profiler's own count for nothing.
 */
export function selfTimes(profile: CpuProfile, nameOf: (frame: CallFrame) => string, fromUs = 0): SelfTimes {
  const { nodes, samples, timeDeltas } = profile;
  const names = new Map(
    nodes
      .filter(({ callFrame: { functionName, url } }) => functionName !== "(idle)" && url !== "node:inspector")
      .map(({ id, callFrame }) => [id, nameOf(callFrame)]),
  );
  const sums = new Map<string, number>();
  let atUs = profile.startTime;
  for (const [index, id] of samples.entries()) {
    const durationUs = timeDeltas[index] ?? 0;
    atUs += durationUs;
    const name = names.get(id);
    if (atUs < fromUs || name === undefined) continue;
    sums.set(name, (sums.get(name) ?? 0) + durationUs / 1000);
  }
  return [...sums].sort(([, a], [, b]) => b - a);
}

/** What a function belongs to: a package, a folder of ours, Node, what V8 cannot see into. */
export function partOf({ functionName, url }: CallFrame): string {
  if (functionName === "(garbage collector)") return "garbage collection";
  // System calls, TLS, the parser.
  if (url === "") return "native code";
  if (url.startsWith("node:")) return "node";
  const [, dependency] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (dependency !== undefined) return dependency;
  const [, own] = /\/((?:mesh|services|gen|tools)\/[^/]+)\/[^/]/.exec(url) ?? [];
  return own ?? "other";
}

/** A function as a person finds it: "admits mesh/resilience/breaker.ts:40". */
export function functionOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName || "(anonymous)";
  if (url === "") return name;
  const place = url.startsWith("node:")
    ? url
    : url.replace(/^.*\/node_modules\//, "").replace(/^.*\/((?:mesh|services|gen|tools)\/)/, "$1");
  return `${name} ${place}:${lineNumber + 1}`;
}
