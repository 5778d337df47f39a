import type { Random } from "../contract/clock.ts";
import { type Balanceable, type Candidate, slowStart } from "./balanced-endpoint.ts";
import { arrangeGroups, type Group, type Pool } from "./balancer-groups.ts";
import type { LoadVerdict } from "./endpoint-load.ts";
import { FailureWindow } from "./outlier.ts";

export interface BalancerOptions<E extends Balanceable, Key> {
  /** Whether an endpoint takes calls of a kind (to a method) now; asked of the few that are looked at. */
  readonly admits: (endpoint: E, key: Key) => boolean;
  readonly random: Random;
  /** The zone of this process: endpoints there are preferred. */
  readonly zone?: string | undefined;
  /** An endpoint was ejected, or taken back. */
  readonly onEjection?: (endpoint: E, ejected: boolean) => void;
}

/**
 * Chooses among the endpoints of one service: of two drawn at random the one where a call costs less, which spreads load
 * nearly as well as knowing all of them and takes the same time for three and for a thousand.
 *
 * All times are monotonic milliseconds.
 *
 * @see https://www.eecs.harvard.edu/~michaelm/postscripts/handbook2001.pdf The power of two random choices
 */
export interface Balancer<E extends Balanceable, Key> {
  readonly members: readonly E[];
  /**
   * Chooses. Whoever sends the call there begins it at the endpoint's load and tells of its end: ended(), or of a stream opened()
   * and closed().
   *
   * @param key what admits() is asked about
   * @param avoid taken only if there is no other
   * @returns undefined if none admits it
   */
  pick(nowMs: number, key: Key, avoid?: E): E | undefined;
  ended(member: E, nowMs: number, startedAtMs: number, verdict: LoadVerdict): void;
  /** A stream that was begun has been opened: its endpoint is well. */
  opened(member: E, nowMs: number, startedAtMs: number): void;
  closed(member: E): void;
  /** The ejected endpoint that is due to be asked whether it is well, if there is one: whoever takes it asks, and tells asked(). */
  takeProbe(nowMs: number): E | undefined;
  /** An endpoint was asked whether it is well, by no call of anybody's: it is taken back, or left alone. */
  asked(member: E, nowMs: number, isWell: boolean): void;
  /** Replaces the endpoints: those that stay keep what is known of them, new ones get their share slowly. */
  update(nowMs: number, candidates: readonly Candidate<E>[]): void;
  /** Sends so many percent of the calls to each version named, the rest to all others. An empty map ends the split. */
  split(percentages: ReadonlyMap<string, number>): void;
}

/** Endpoints elsewhere take a call only where one here would cost so much more: while it is quiet, none leaves the zone. */
const spillFactor = 5;
/** Where both draws hit the same endpoint, another is taken if it costs less than this part: else weights would not hold. */
const changeFactor = 0.2;

/** To ask costs no call: who is away may be back at any time. */
const askAgainMaxMs = 4_000;

export function createBalancer<E extends Balanceable, Key>(options: BalancerOptions<E, Key>): Balancer<E, Key> {
  return new PowerOfTwo(options);
}

class PowerOfTwo<E extends Balanceable, Key> implements Balancer<E, Key> {
  readonly #options: BalancerOptions<E, Key>;
  readonly #admits: (endpoint: E, key: Key) => boolean;
  readonly #random: Random;
  /** Of all endpoints together. */
  readonly #window = new FailureWindow();
  #members: readonly E[] = [];
  #groups: readonly Group<E>[] = [];
  #percentages: ReadonlyMap<string, number> = new Map();
  #ejected: readonly E[] = [];
  /** When the next ejected endpoint may be probed. */
  #probeDueAtMs = Number.POSITIVE_INFINITY;
  /** Until then some get less than their whole share. */
  #slowUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: BalancerOptions<E, Key>) {
    this.#options = options;
    this.#admits = options.admits;
    this.#random = options.random;
  }

  get members(): readonly E[] {
    return this.#members;
  }

  pick(nowMs: number, key: Key, avoid?: E): E | undefined {
    const chosen = this.#choose(nowMs, key, avoid) ?? this.#anyOther(key, avoid);
    if (chosen?.balanced.outlier.isEjected) this.#beginProbe(chosen, nowMs);
    return chosen;
  }

  ended(member: E, nowMs: number, startedAtMs: number, verdict: LoadVerdict): void {
    member.balanced.load.end(nowMs, startedAtMs, verdict);
    if (member.balanced.isRemoved) return;
    if (verdict !== "unknown") this.#learn(member, nowMs, startedAtMs, verdict === "ill");
    else if (member.balanced.outlier.isEjected) {
      member.balanced.outlier.nothingLearnt(nowMs, startedAtMs);
      this.#planProbe();
    }
  }

  opened(member: E, nowMs: number, startedAtMs: number): void {
    member.balanced.load.opened(nowMs);
    if (!member.balanced.isRemoved) this.#learn(member, nowMs, startedAtMs, false);
  }

  closed(member: E): void {
    member.balanced.load.closed();
  }

  takeProbe(nowMs: number): E | undefined {
    if (nowMs < this.#probeDueAtMs) return undefined;
    const due = this.#dueProbe(nowMs);
    if (due !== undefined) this.#beginProbe(due, nowMs);
    return due;
  }

  asked(member: E, nowMs: number, isWell: boolean): void {
    const { isRemoved, outlier } = member.balanced;
    if (isRemoved) return;
    if (outlier.isEjected && isWell) this.#readmit(member, nowMs);
    else if (outlier.isEjected) this.#ejectAgain(member, nowMs, askAgainMaxMs);
    else if (!isWell && this.#mayEject()) this.#eject(member, nowMs, askAgainMaxMs);
  }

  update(nowMs: number, candidates: readonly Candidate<E>[]): void {
    const before = new Set(this.#members);
    for (const { balanced } of before) balanced.isRemoved = true;
    for (const { endpoint, weight = 1, zone, version } of candidates) {
      Object.assign(endpoint.balanced, { weight, zone, version, isRemoved: false });
      // The first ones are all as new: none of them has to be spared.
      if (before.size > 0 && !before.has(endpoint)) this.#startSlowly(endpoint, nowMs);
    }
    this.#members = candidates.map(({ endpoint }) => endpoint);
    this.#arrange();
    while (this.#ejected.length > this.#members.length / 2) this.#readmitFirst(nowMs);
  }

  split(percentages: ReadonlyMap<string, number>): void {
    this.#percentages = percentages;
    this.#arrange();
  }

  /** The way of nearly every call: two draws, one comparison. */
  #choose(nowMs: number, key: Key, avoid: E | undefined): E | undefined {
    const group = this.#drawGroup();
    if (group === undefined) return undefined;
    const near = this.#chooseIn(group.near, nowMs, key, avoid);
    if (group.far.members.length === 0) return near;
    if (near === undefined) return this.#chooseIn(group.far, nowMs, key, avoid);
    const far = group.far.members[this.#drawFrom(group.far, nowMs)];
    if (far === undefined || far === avoid || !this.#admits(far, key)) return near;
    return far.balanced.costFromAfar(nowMs, near.balanced.load.latencyMs(nowMs)) * spillFactor <
      near.balanced.cost(nowMs)
      ? far
      : near;
  }

  #drawGroup(): Group<E> | undefined {
    const groups = this.#groups;
    if (groups.length <= 1) return groups[0];
    const chance = this.#random() * 100;
    return groups.find(({ upTo }) => chance < upTo);
  }

  #chooseIn(pool: Pool<E>, nowMs: number, key: Key, avoid: E | undefined) {
    const { members } = pool;
    const firstAt = this.#drawFrom(pool, nowMs);
    const secondAt = this.#drawFrom(pool, nowMs);
    // Drawn twice: another one has its chance, but that is drawn evenly, whatever its weight, and has to be clearly better.
    const isSame = firstAt === secondAt;
    const first = members[firstAt];
    const second = isSame ? members[this.#another(firstAt, members.length)] : members[secondAt];
    const mayFirst = first !== undefined && first !== avoid && this.#admits(first, key);
    const maySecond = second !== undefined && second !== avoid && this.#admits(second, key);
    if (!mayFirst) return maySecond ? second : undefined;
    if (!maySecond) return first;
    return second.balanced.cost(nowMs) < first.balanced.cost(nowMs) * (isSame ? changeFactor : 1) ? second : first;
  }

  /** @returns a place in the pool */
  #drawFrom({ members, draw }: Pool<E>, nowMs: number): number {
    const place = draw(this.#random());
    const isSpared = nowMs < this.#slowUntilMs && members[place]?.balanced.takes(nowMs, this.#random()) === false;
    return isSpared ? this.#another(place, members.length) : place;
  }

  /** Any other place of so many; the same if there is one. */
  #another(place: number, count: number): number {
    return count < 2 ? place : (place + 1 + Math.floor(this.#random() * (count - 1))) % count;
  }

  /** None of those drawn takes the call: whoever does, of any version and zone; an ejected one or the avoided one at last. */
  #anyOther(key: Key, avoid: E | undefined): E | undefined {
    const members = this.#members;
    const from = Math.floor(this.#random() * members.length);
    let ejected: E | undefined;
    let avoided: E | undefined;
    for (let step = 0; step < members.length; step++) {
      const member = members[(from + step) % members.length];
      if (member === undefined || !this.#admits(member, key)) continue;
      if (member === avoid) avoided = member;
      else if (!member.balanced.outlier.isEjected) return member;
      else ejected ??= member;
    }
    return avoided && !avoided.balanced.outlier.isEjected ? avoided : (ejected ?? avoided);
  }

  #learn(member: E, nowMs: number, startedAtMs: number, failed: boolean): void {
    const event = member.balanced.outlier.record(nowMs, startedAtMs, failed, this.#window);
    if (event === undefined) return;
    if (event === "readmitted") this.#readmit(member, nowMs);
    else if (event === "ejected again") this.#ejectAgain(member, nowMs);
    else if (this.#mayEject()) this.#eject(member, nowMs);
  }

  /** Never more than half: the rest would have to carry all. */
  #mayEject(): boolean {
    return this.#ejected.length + 1 <= this.#members.length / 2;
  }

  #eject(member: E, nowMs: number, forMaxMs?: number): void {
    member.balanced.outlier.eject(nowMs, this.#random, forMaxMs);
    this.#arrange();
    this.#options.onEjection?.(member, true);
  }

  #ejectAgain(member: E, nowMs: number, forMaxMs?: number): void {
    member.balanced.outlier.eject(nowMs, this.#random, forMaxMs);
    this.#planProbe();
  }

  #readmit(member: E, nowMs: number): void {
    member.balanced.outlier.readmit(nowMs, this.#window);
    this.#startSlowly(member, nowMs);
    this.#arrange();
    this.#options.onEjection?.(member, false);
  }

  /** Well ones have left: of those that stay, the one whose time is up first has to help. */
  #readmitFirst(nowMs: number): void {
    const [first, ...others] = this.#ejected;
    if (first === undefined) return;
    const next = others.reduce(
      (a, b) => (b.balanced.outlier.probeDueAtMs < a.balanced.outlier.probeDueAtMs ? b : a),
      first,
    );
    this.#readmit(next, nowMs);
  }

  #dueProbe(nowMs: number): E | undefined {
    return this.#ejected.find(({ balanced: { outlier } }) => nowMs >= outlier.probeDueAtMs);
  }

  #beginProbe(member: E, nowMs: number): void {
    member.balanced.outlier.probe(nowMs);
    this.#planProbe();
  }

  #planProbe(): void {
    let dueAtMs = Number.POSITIVE_INFINITY;
    for (const {
      balanced: { outlier },
    } of this.#ejected)
      dueAtMs = Math.min(dueAtMs, outlier.probeDueAtMs);
    this.#probeDueAtMs = dueAtMs;
  }

  /** Works out who may be drawn: the work of a change, so that a choice has none. */
  #arrange(): void {
    const heaviest = this.#members.reduce((most, { balanced: { weight } }) => Math.max(most, weight), 0);
    for (const { balanced } of this.#members) balanced.share = balanced.weight / heaviest;
    this.#ejected = this.#members.filter(({ balanced: { outlier } }) => outlier.isEjected);
    const drawable = this.#members.filter(({ balanced: { outlier } }) => !outlier.isEjected);
    this.#groups = arrangeGroups(drawable, this.#percentages, this.#options.zone);
    this.#planProbe();
  }

  #startSlowly(member: E, nowMs: number): void {
    const known = this.#members.filter((other) => other !== member && !other.balanced.outlier.isEjected);
    const sumMs = known.reduce((sum, { balanced: { load } }) => sum + load.lastLatencyMs, 0);
    member.balanced.startSlowly(nowMs, known.length === 0 ? 0 : sumMs / known.length);
    this.#slowUntilMs = nowMs + slowStart.timeMs;
  }
}
