/** Who has made a table, or is making it, and since when. */
export interface TableNote {
  readonly by: string;
  readonly at: Date;
}

export interface ProjectionStatus {
  readonly name: string;
  readonly tables: readonly string[];
  /** What it is made from; empty if it cannot be made again. */
  readonly source: string;
  /** Why it cannot be made again; empty if it can. */
  readonly notRebuildableBecause: string;
  /** Who is making it anew. */
  readonly replaying: TableNote | undefined;
  /** Who has made the tables that are there now; undefined if they are the first ones. */
  readonly replayed: TableNote | undefined;
}

export type ReplayPhase = "filling" | "catching up" | "swapping" | "finishing" | "done";

/** How far a replay is. */
export interface ReplayProgress {
  readonly phase: ReplayPhase;
  /** Events read, and how many there are, about. */
  readonly done: number;
  readonly total: number;
  readonly eventsPerSecond: number;
  /** Rows that were made of them. */
  readonly rows: number;
  /** Rows of the old tables that the new ones do not have; 0 until it is done. */
  readonly removed: number;
}

/** Which events of the outbox. */
export interface RepublishFilter {
  /** Written then or later; undefined: from the oldest on. */
  readonly since: Date | undefined;
  /** Written before; undefined: until now. */
  readonly until: Date | undefined;
  /** "shop.order.v1.OrderPaid"; "shop.order.>" for all that begin like that; empty: all. */
  readonly subject: string;
  readonly limit: number;
  /** Only counts. */
  readonly dryRun: boolean;
}

export interface RepublishProgress {
  /** That match; published again, unless it is a dry run. */
  readonly events: number;
  /** There are others: the limit was reached. */
  readonly more: boolean;
}

/** A stored event that present code cannot read without loss. */
export interface EventProblem {
  readonly table: string;
  /** Which it is, for people: "ord_... 3". */
  readonly event: string;
  readonly type: string;
  readonly problem: string;
}

export interface VerifyProgress {
  readonly table: string;
  readonly done: number;
  readonly total: number;
  readonly problemCount: number;
  /** All that were found so far, up to problemsMax. */
  readonly problems: readonly EventProblem[];
}

/** What operators do with a service's events: for weft.admin.v1, which asks who they are and writes down what they did. */
export interface EventOperations {
  projections(): Promise<ProjectionStatus[]>;
  /** @throws ConnectError NOT_FOUND, FAILED_PRECONDITION (NOT_REBUILDABLE), ABORTED (REPLAY_RUNNING) */
  replay(name: string, by: string, report: (progress: ReplayProgress) => void): Promise<ReplayProgress>;
  /** @throws ConnectError FAILED_PRECONDITION (NO_OUTBOX) */
  republish(filter: RepublishFilter, report: (progress: RepublishProgress) => void): Promise<RepublishProgress>;
  verify(problemsMax: number, report: (progress: VerifyProgress) => void): Promise<VerifyProgress>;
}
