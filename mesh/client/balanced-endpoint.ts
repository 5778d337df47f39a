import { EndpointLoad, latencyFloorMs } from "./endpoint-load.ts";
import { Outlier } from "./outlier.ts";

/** A new endpoint, or one that is taken back, gets its whole share after this time, and at first this part of it. */
export const slowStart = { timeMs: 600, share: 0.1 };

/** What a balancer is told of an endpoint. */
export interface Candidate<E extends Balanceable> {
  readonly endpoint: E;
  /** Its part of the calls by that of the others; 1 if left out. */
  readonly weight?: number | undefined;
  readonly zone?: string | undefined;
  readonly version?: string | undefined;
}

/** An endpoint that can be balanced: it carries what its balancer knows of it. */
export interface Balanceable {
  readonly balanced: BalancedEndpoint;
}

/** What a balancer knows of an endpoint. Mutable, since each call writes it. */
export class BalancedEndpoint {
  readonly load = new EndpointLoad();
  readonly outlier = new Outlier();
  weight = 1;
  /** Its weight by the heaviest's. */
  share = 1;
  zone: string | undefined;
  version: string | undefined;
  isRemoved = false;
  /** It gets its whole share from then on. */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  /** It is new, or new again. @param latencyMs of the others; 0 if unknown */
  startSlowly(nowMs: number, latencyMs: number): void {
    this.#fullAtMs = nowMs + slowStart.timeMs;
    this.load.assume(nowMs, latencyMs);
  }

  /** Whether it takes a call that was drawn for it: while it starts slowly, some. @param chance in [0, 1) */
  takes(nowMs: number, chance: number): boolean {
    if (nowMs >= this.#fullAtMs) return true;
    const part = 1 - (this.#fullAtMs - nowMs) / slowStart.timeMs;
    return chance < slowStart.share + (1 - slowStart.share) * part;
  }

  /** How dear one more call is here. */
  cost(nowMs: number): number {
    return this.load.cost(nowMs, this.share);
  }

  /**
   * The same for one that is seldom called, and so would seem fast again after a while.
   *
   * @param latencyMs of those that are called, if nothing is known of it
   */
  costFromAfar(nowMs: number, latencyMs: number): number {
    return this.load.cost(nowMs, this.share, Math.max(latencyFloorMs, this.load.lastLatencyMs || latencyMs));
  }
}
