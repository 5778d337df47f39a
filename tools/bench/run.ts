/** One run of the bench, as the environment asks for it. */
export interface BenchRun {
  readonly quick: boolean;
  /** Profiles are written there, and nothing is compared: profiling slows what it looks at. */
  readonly profileDirectory: string | undefined;
  readonly startedAt: Date;
  /** What the figures were measured on. */
  readonly machine: { readonly node: string; readonly cpus: number; readonly loadAverage: number };
  /** What speaks against the figures. */
  readonly unfit: string | undefined;
}
