import type { StatementHook } from "@weft/mesh/data";

/** What happens at a kill point: the process dies, is frozen until SIGCONT, the statement fails or is held up. */
export type KillAction = "kill" | "freeze" | "throw" | "hold";

/** An exact place in the code path of a service: before or after a named statement. */
export interface KillPoint {
  readonly when: "before" | "after";
  /** A statement's name ("outbox.markPublished"), a COMMIT's ("order.place.commit"), or "*" for any. */
  readonly statement: string;
  /** Which one from now on; 1 is the next. */
  readonly nth: number;
  readonly action: KillAction;
  /** How long "hold" holds it up. */
  readonly holdMs?: number;
}

/** A kill point that was reached. Reported before its action is taken. */
export interface Hit extends KillPoint {
  readonly service: string;
  readonly pid: number;
  /** Epoch ms. */
  readonly atMs: number;
  /** The statement where it was, also where any was asked for. */
  readonly at: string;
}

export interface KillPointDeps {
  readonly service: string;
  readonly pid: number;
  readonly now: () => number;
  /** Must have happened when it returns: the process may be gone a moment later. */
  readonly report: (hit: Hit) => void;
  /** Sends a signal to this process; of SIGKILL it does not return. */
  readonly signal: (signal: "SIGKILL" | "SIGSTOP") => void;
  readonly failure: (statement: string) => Error;
  readonly pause: (ms: number) => Promise<void>;
}

/** The harness's hand on the statements of one process. Each point is reached once, then it is gone. */
export interface KillPoints {
  readonly hook: StatementHook;
  arm(point: KillPoint): void;
  disarm(): void;
  armed(): readonly KillPoint[];
}

export function createKillPoints(deps: KillPointDeps): KillPoints {
  let waiting: { readonly point: KillPoint; left: number }[] = [];

  const reached = (when: "before" | "after", name: string): KillPoint | undefined => {
    let hit: KillPoint | undefined;
    for (const entry of waiting) {
      const { point } = entry;
      if (point.when !== when || (point.statement !== "*" && point.statement !== name)) continue;
      entry.left -= 1;
      if (entry.left === 0) hit ??= point;
    }
    waiting = waiting.filter(({ left }) => left > 0);
    return hit;
  };

  const act = (point: KillPoint, name: string): void | Promise<void> => {
    const { service, pid, now } = deps;
    deps.report({ ...point, service, pid, atMs: now(), at: name });
    switch (point.action) {
      case "kill":
        return deps.signal("SIGKILL");
      case "freeze":
        return deps.signal("SIGSTOP");
      case "throw":
        throw deps.failure(name);
      case "hold":
        return deps.pause(point.holdMs ?? 0);
    }
  };

  return {
    hook(when, name) {
      const point = reached(when, name);
      return point && act(point, name);
    },
    arm: (point) => {
      waiting = [...waiting, { point, left: point.nth }];
    },
    disarm() {
      waiting = [];
    },
    armed: () => waiting.map(({ point, left }) => ({ ...point, nth: left })),
  };
}
