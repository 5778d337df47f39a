/** How long and how often to measure, where a fixed number of rounds is measured. */
export interface BenchPlan {
  readonly rounds: number;
  readonly sliceMs: number;
  /** For each peer: tens of thousands of calls, or slices measure the compiler. */
  readonly warmUpMs: number;
  /** Folder for CPU profiles of all processes. */
  readonly profileDirectory?: string | undefined;
}
