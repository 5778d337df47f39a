import type { Random } from "../contract/clock.ts";
import { type Balanceable, BalancedEndpoint } from "./balanced-endpoint.ts";
import type { Balancer } from "./balancer.ts";
import type { LoadVerdict } from "./endpoint-load.ts";

/** A replica that exists on paper only. */
export interface PaperReplica extends Balanceable {
  readonly name: string;
  /** How long it takes for a call that comes at a moment, and how that ends. */
  answer(nowMs: number): { readonly tookMs: number; readonly verdict: LoadVerdict };
}

export interface SimulatedCall {
  readonly replica: string;
  readonly startedAtMs: number;
  readonly tookMs: number;
  readonly verdict: LoadVerdict;
}

export interface SimulationOptions {
  readonly balancer: Balancer<PaperReplica, string>;
  readonly random: Random;
  readonly callsPerSecond: number;
  readonly fromMs?: number;
  readonly forMs: number;
  /** Runs before a call that starts at a moment. */
  readonly beforeCall?: (nowMs: number) => void;
}

/** Lets calls come at random moments at a steady rate, whatever becomes of those before: time is simulated, nothing waits. */
export function simulate(options: SimulationOptions): SimulatedCall[] {
  const { balancer, random, callsPerSecond, fromMs = 0, forMs } = options;
  const calls: SimulatedCall[] = [];
  let underWay: { readonly member: PaperReplica; readonly endsAtMs: number; call: SimulatedCall }[] = [];
  const endUntil = (nowMs: number): void => {
    const ending = underWay.filter(({ endsAtMs }) => endsAtMs <= nowMs).sort((a, b) => a.endsAtMs - b.endsAtMs);
    if (ending.length > 0) underWay = underWay.filter(({ endsAtMs }) => endsAtMs > nowMs);
    for (const { member, endsAtMs, call } of ending) balancer.ended(member, endsAtMs, call.startedAtMs, call.verdict);
  };
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += (-Math.log(1 - random()) * 1000) / callsPerSecond) {
    endUntil(nowMs);
    options.beforeCall?.(nowMs);
    const due = balancer.takeProbe(nowMs);
    if (due) balancer.asked(due, nowMs, due.answer(nowMs).verdict === "well");
    const member = begin(balancer, nowMs);
    if (member === undefined) throw new Error("nobody takes the call");
    const { tookMs, verdict } = member.answer(nowMs);
    const call = { replica: member.name, startedAtMs: nowMs, tookMs, verdict };
    calls.push(call);
    underWay.push({ member, endsAtMs: nowMs + tookMs, call });
  }
  endUntil(Number.POSITIVE_INFINITY);
  return calls;
}

/** Picks a replica and begins a call there. */
export function begin(
  balancer: Balancer<PaperReplica, string>,
  nowMs: number,
  avoid?: PaperReplica,
): PaperReplica | undefined {
  const replica = balancer.pick(nowMs, "", avoid);
  replica?.balanced.load.begin(nowMs);
  return replica;
}

/** A replica that is well, and takes about so long. */
export function wellReplica(name: string, tookMs: number, random: Random): PaperReplica {
  return {
    name,
    balanced: new BalancedEndpoint(),
    answer: () => ({ tookMs: -Math.log(1 - random()) * tookMs, verdict: "well" }),
  };
}

/** Which part of the calls each replica got. */
export function sharesOf(calls: readonly SimulatedCall[]): Map<string, number> {
  const byReplica = Map.groupBy(calls, ({ replica }) => replica);
  return new Map([...byReplica].map(([replica, own]) => [replica, own.length / calls.length]));
}
