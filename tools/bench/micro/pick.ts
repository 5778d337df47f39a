import { type Balanceable, BalancedEndpoint } from "../../../mesh/client/balanced-endpoint.ts";
import { createBalancer } from "../../../mesh/client/balancer.ts";
import { percentile } from "../load.ts";

/** What choosing among so many endpoints costs, with all that is learnt of the call when it has ended. */
export interface PickFigure {
  readonly endpoints: number;
  readonly nanoseconds: number;
}

export const endpointCounts = [3, 100, 1_000];

const batches = 15;
/** Calls under way while another is begun, so that costs differ. */
const underWay = 64;

/**
 * Measures a call's part of the balancer, pick to ended(): two zones, two weights, 64 calls under way, a moment of 10 us between calls.
 *
 * @param picks in each batch; the median batch counts
 */
export function measurePick(endpoints: number, picks: number): PickFigure {
  const balancer = createBalancer<Balanceable, string>({ admits: () => true, random: Math.random, zone: "here" });
  const candidates = Array.from({ length: endpoints }, (_, index) => ({
    endpoint: { balanced: new BalancedEndpoint() },
    weight: 1 + (index % 2),
    zone: index % 3 === 2 ? "there" : "here",
  }));
  balancer.update(0, candidates);
  let nowMs = 10_000;
  const begin = (): Balanceable | undefined => {
    const member = balancer.pick(nowMs, "");
    member?.balanced.load.begin(nowMs);
    return member;
  };
  const open = Array.from({ length: underWay }, () => ({ member: begin(), startedAtMs: nowMs }));
  const one = (index: number): void => {
    const slot = open[index % underWay];
    if (!slot?.member) throw new Error("nobody takes the call");
    nowMs += 0.01;
    balancer.ended(slot.member, nowMs, slot.startedAtMs, "well");
    slot.member = begin();
    slot.startedAtMs = nowMs;
  };
  const batch = (): number => {
    const startedAt = performance.now();
    for (let index = 0; index < picks; index++) one(index);
    return ((performance.now() - startedAt) * 1e6) / picks;
  };
  for (let warm = 0; warm < 3; warm++) batch();
  return {
    endpoints,
    nanoseconds: percentile(
      Array.from({ length: batches }, () => batch()),
      0.5,
    ),
  };
}

export function formatPicks(figures: readonly PickFigure[]): string {
  const each = figures.map(({ endpoints, nanoseconds }) => `${nanoseconds.toFixed(0)} ns of ${endpoints}`);
  return `choosing an endpoint, and learning of the call's end: ${each.join(", ")}`;
}
