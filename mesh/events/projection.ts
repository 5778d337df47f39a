import type { Database } from "../data/queryable.ts";

/** One of a projection's tables. */
export interface ProjectionTable {
  readonly name: string;
  /** The CREATE TABLE statement that makes it under a name: what a migration has made, and what a fresh one is. */
  readonly create: (name: string) => string;
}

/** Tables that are being filled, or have just been swapped in. */
export interface ProjectionCopy {
  readonly database: Database;
  /** What one of the projection's tables is called here. */
  table(name: string): string;
  /** Tells how many more events have been read, and how many rows they have made. */
  progress(events: number, rows: number): void;
}

/** Tables that events have made, and can make again while the service works on. */
export interface RebuildableProjection {
  readonly name: string;
  readonly tables: readonly ProjectionTable[];
  /** The table of events, or of facts, that it is made from; all of them. For people, if it is another service's. */
  readonly source: string;
  /** A table here that has about as many rows as the source, if that is another service's. */
  readonly sizedLike?: string;
  /** Writes all that the source says into empty tables, page by page, without a lock that somebody else waits for. */
  fill(copy: ProjectionCopy): Promise<void>;
  /**
   * Writes what has changed since it was read. Called before the swap with the fresh tables, to leave little for after it, and after
   * the swap with the live ones: what the old ones were told last. Must be safe to repeat, at any time.
   *
   * @param told what the tables are called that were told of everything so far: before the swap the live ones, then the old ones
   */
  catchUp(copy: ProjectionCopy, told: (name: string) => string): Promise<void>;
  /** How many rows of the old tables, here still there under these names, the new ones do not have. */
  countRemoved?(copy: ProjectionCopy, old: (name: string) => string): Promise<number>;
  /** Runs the whole of a replay inside: holds back for so long whoever cannot write twice. */
  during?<T>(replay: () => Promise<T>): Promise<T>;
}

/** Tables that events have made, and cannot make again. */
export interface LastingProjection {
  readonly name: string;
  readonly tables: readonly { readonly name: string }[];
  /** Why not, for people. */
  readonly notRebuildableBecause: string;
}

export type Projection = RebuildableProjection | LastingProjection;

export function isRebuildable(projection: Projection): projection is RebuildableProjection {
  return "fill" in projection;
}

/** What a fresh table is called while it is filled. */
export function freshName(table: string): string {
  return `${table}_replay`;
}

/** What the old table is called after the swap, until it is dropped. */
export function replacedName(table: string): string {
  return `${table}_replaced`;
}
