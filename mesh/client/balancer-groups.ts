import type { Balanceable } from "./balanced-endpoint.ts";
import { createWeightedDraw, type WeightedDraw } from "./weighted-draw.ts";

/** Some endpoints that are drawn from together. */
export interface Pool<E extends Balanceable> {
  readonly members: readonly E[];
  readonly draw: WeightedDraw;
}

/** The endpoints that share a percentage of the calls. */
export interface Group<E extends Balanceable> {
  /** Its percentage, added to those of the groups before it; the last one's has no bound. */
  readonly upTo: number;
  /** Those of this process's own zone; all, if none are. */
  readonly near: Pool<E>;
  readonly far: Pool<E>;
}

/**
 * One group for each version that has a percentage and an endpoint, one for all other versions. Percentages of those that
 * are not there go to the rest.
 */
export function arrangeGroups<E extends Balanceable>(
  members: readonly E[],
  percentages: ReadonlyMap<string, number>,
  zone: string | undefined,
): Group<E>[] {
  const named = [...percentages.values()].reduce((sum, percentage) => sum + percentage, 0);
  const others = members.filter(({ balanced: { version } }) => version === undefined || !percentages.has(version));
  const parts: [number, readonly E[]][] = [...percentages].map(([version, percentage]) => [
    percentage,
    members.filter((member) => member.balanced.version === version),
  ]);
  parts.push([100 - named, others]);
  const present = parts.filter(([percentage, part]) => percentage > 0 && part.length > 0);
  if (present.length === 0) return members.length === 0 ? [] : [groupOf(Number.POSITIVE_INFINITY, members, zone)];

  const total = present.reduce((sum, [percentage]) => sum + percentage, 0);
  let upTo = 0;
  return present.map(([percentage, part], index) => {
    upTo += (percentage * 100) / total;
    return groupOf(index === present.length - 1 ? Number.POSITIVE_INFINITY : upTo, part, zone);
  });
}

function groupOf<E extends Balanceable>(upTo: number, members: readonly E[], zone: string | undefined): Group<E> {
  const near = members.filter((member) => zone === undefined || member.balanced.zone === zone);
  if (near.length === 0) return { upTo, near: poolOf(members), far: poolOf([]) };
  return { upTo, near: poolOf(near), far: poolOf(members.filter((member) => member.balanced.zone !== zone)) };
}

function poolOf<E extends Balanceable>(members: readonly E[]): Pool<E> {
  return { members, draw: createWeightedDraw(members.map(({ balanced }) => balanced.weight)) };
}
