import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../tools/dev/history/chance.ts";
import type { Random } from "../contract/clock.ts";
import { BalancedEndpoint, type Candidate } from "./balanced-endpoint.ts";
import { type Balancer, createBalancer } from "./balancer.ts";
import type { LoadVerdict } from "./endpoint-load.ts";
import { begin, type PaperReplica, sharesOf, simulate, wellReplica } from "./testing-balancer.ts";

let random: Random;
let ejections: string[];
/** Whose breaker is open. */
let closedTo: Set<string>;
beforeEach(() => {
  random = seededRandom(7);
  ejections = [];
  closedTo = new Set();
});

function balancerOf(
  candidates: readonly Candidate<PaperReplica>[],
  zone?: string,
  chance: Random = random,
): Balancer<PaperReplica, string> {
  const balancer = createBalancer<PaperReplica, string>({
    admits: ({ name }) => !closedTo.has(name),
    random: chance,
    zone,
    onEjection: ({ name }, ejected) => ejections.push(`${ejected ? "-" : "+"}${name}`),
  });
  balancer.update(0, candidates);
  return balancer;
}
const well = (name: string, tookMs = 5): PaperReplica => wellReplica(name, tookMs, random);
const three = () => ["a", "b", "c"].map((name) => ({ endpoint: well(name) }));
const failing = (name: string, code: LoadVerdict = "ill"): PaperReplica => ({
  name,
  balanced: new BalancedEndpoint(),
  answer: () => ({ tookMs: 1, verdict: code }),
});

/** One call from begin to end, which takes no time. */
function call(balancer: Balancer<PaperReplica, string>, nowMs: number): string | undefined {
  const member = begin(balancer, nowMs);
  if (member) balancer.ended(member, nowMs, nowMs, member.answer(nowMs).verdict);
  return member?.name;
}

describe("shares", () => {
  test("are even among endpoints that are alike, at any load", () => {
    for (const callsPerSecond of [20, 400, 4_000]) {
      const balancer = balancerOf(three());
      const shares = sharesOf(simulate({ balancer, random, callsPerSecond, forMs: 8_000 }));
      for (const share of shares.values()) expect(Math.abs(share - 1 / 3)).toBeLessThan(0.1);
    }
  });

  test("follow weights where endpoints are as strong as they weigh", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 1, max: 1e6 }),
        (weights, seed) => {
          const chance = seededRandom(seed);
          const candidates = weights.map((weight, index) => ({
            endpoint: wellReplica(`${index}`, 20, chance),
            weight,
          }));
          const calls = simulate({
            balancer: balancerOf(candidates, undefined, chance),
            random: chance,
            callsPerSecond: 3_000,
            forMs: 4_000,
          });
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const shares = sharesOf(calls);
          for (const [index, weight] of weights.entries()) {
            const expected = weight / total;
            expect(Math.abs((shares.get(`${index}`) ?? 0) - expected)).toBeLessThan(0.03 + expected * 0.25);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test("of a light endpoint stay below twice its weight's while it is quiet", () => {
    const balancer = balancerOf([{ endpoint: well("heavy"), weight: 9 }, { endpoint: well("light") }]);
    const shares = sharesOf(simulate({ balancer, random, callsPerSecond: 100, forMs: 60_000 }));
    expect(shares.get("light")).toBeGreaterThan(0.07);
    expect(shares.get("light")).toBeLessThan(0.2);
  });

  test("are even over a thousand endpoints", () => {
    const balancer = balancerOf(Array.from({ length: 1_000 }, (_, index) => ({ endpoint: well(`${index}`, 50) })));
    const calls = simulate({ balancer, random, callsPerSecond: 20_000, forMs: 3_000 });
    const shares = [...sharesOf(calls).values()];
    expect(shares).toHaveLength(1_000);
    expect(Math.max(...shares) * 1_000).toBeLessThan(1.7);
  });
});

describe("an endpoint that is slower than the others", () => {
  test("by half a second gets hardly any calls, but is tried again now and then", () => {
    const balancer = balancerOf([...three().slice(0, 2), { endpoint: well("slow", 500) }]);
    const calls = simulate({ balancer, random, callsPerSecond: 500, forMs: 60_000 });
    const late = calls.filter(({ startedAtMs }) => startedAtMs > 2_000);
    expect(sharesOf(late).get("slow")).toBeLessThan(0.005);
    expect(sharesOf(late).get("slow")).toBeGreaterThan(0);
  });

  test("no longer, gets its share back", () => {
    let tookMs = 500;
    const slow: PaperReplica = {
      name: "slow",
      balanced: new BalancedEndpoint(),
      answer: () => ({ tookMs, verdict: "well" }),
    };
    const balancer = balancerOf([...three().slice(0, 2), { endpoint: slow }]);
    simulate({ balancer, random, callsPerSecond: 500, forMs: 10_000 });
    tookMs = 5;
    const calls = simulate({ balancer, random, callsPerSecond: 500, fromMs: 11_000, forMs: 60_000 });
    const late = calls.filter(({ startedAtMs }) => startedAtMs > 60_000);
    expect(sharesOf(late).get("slow")).toBeGreaterThan(0.25);
  });

  test("by being frozen gets no further call once it has been silent for longer than others take", () => {
    let frozen = false;
    const freezing: PaperReplica = {
      name: "frozen",
      balanced: new BalancedEndpoint(),
      answer: () => (frozen ? { tookMs: 5_000, verdict: "ill" } : { tookMs: 2, verdict: "well" }),
    };
    const balancer = balancerOf([...["a", "b"].map((name) => ({ endpoint: well(name, 2) })), { endpoint: freezing }]);
    simulate({ balancer, random, callsPerSecond: 2_000, forMs: 2_000 });
    frozen = true;
    const calls = simulate({ balancer, random, callsPerSecond: 2_000, fromMs: 2_000, forMs: 4_000 });
    const caught = calls.filter(({ replica }) => replica === "frozen").map(({ startedAtMs }) => startedAtMs - 2_000);
    expect(caught.length).toBeLessThan(40);
    expect(Math.max(...caught)).toBeLessThan(200);
  });
});

describe("an endpoint that fails", () => {
  test("is left alone after a few calls, for as long as it says that it is not well", () => {
    const balancer = balancerOf([...three().slice(0, 2), { endpoint: failing("ill") }]);
    const calls = simulate({ balancer, random, callsPerSecond: 1_000, forMs: 60_000 });
    expect(calls.filter(({ replica }) => replica === "ill")).toHaveLength(5);
    expect(ejections).toEqual(["-ill"]);
  });

  test("is taken back once it answers, and starts slowly", () => {
    let verdict: LoadVerdict = "ill";
    const healing: PaperReplica = {
      name: "healing",
      balanced: new BalancedEndpoint(),
      answer: () => ({ tookMs: 5, verdict }),
    };
    const balancer = balancerOf([...three().slice(0, 2), { endpoint: healing }]);
    simulate({ balancer, random, callsPerSecond: 1_000, forMs: 500 });
    expect(ejections).toEqual(["-healing"]);
    verdict = "well";
    const calls = simulate({ balancer, random, callsPerSecond: 1_000, fromMs: 500, forMs: 30_000 });
    expect(ejections).toEqual(["-healing", "+healing"]);
    const backAtMs = calls.find(({ replica }) => replica === "healing")?.startedAtMs ?? 0;
    expect(backAtMs).toBeLessThan(1_700);
    const shareFrom = (fromMs: number, toMs: number): number =>
      sharesOf(calls.filter(({ startedAtMs }) => startedAtMs > fromMs && startedAtMs < toMs)).get("healing") ?? 0;
    expect(shareFrom(backAtMs, backAtMs + 150)).toBeLessThan(0.2);
    expect(shareFrom(backAtMs + 20_000, backAtMs + 28_000)).toBeGreaterThan(0.25);
  });

  test("is never one of more than half, whatever fails", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.record({ place: fc.nat(8), failed: fc.boolean(), afterMs: fc.nat(400) }), { maxLength: 300 }),
        (count, events) => {
          const candidates = Array.from({ length: count }, (_, index) => ({ endpoint: failing(`${index}`) }));
          const balancer = balancerOf(candidates);
          let nowMs = 0;
          for (const { place, failed, afterMs } of events) {
            nowMs += afterMs;
            for (const { name } of candidates.map(({ endpoint }) => endpoint)) closedTo.add(name);
            closedTo.delete(`${place % count}`);
            const member = begin(balancer, nowMs);
            closedTo.clear();
            if (member) balancer.ended(member, nowMs, nowMs, failed ? "ill" : "well");
            const out = balancer.members.filter(({ balanced: { outlier } }) => outlier.isEjected).length;
            expect(out).toBeLessThanOrEqual(count / 2);
          }
        },
      ),
    );
  });

  test("helps out where those that are well leave", () => {
    const balancer = balancerOf([...three().slice(0, 2), { endpoint: failing("x") }, { endpoint: failing("y") }]);
    simulate({ balancer, random, callsPerSecond: 1_000, forMs: 900 });
    expect([...ejections].sort()).toEqual(["-x", "-y"]);
    balancer.update(
      900,
      balancer.members.slice(2).map((endpoint) => ({ endpoint })),
    );
    expect(balancer.members.filter(({ balanced: { outlier } }) => outlier.isEjected)).toHaveLength(1);
  });

  test("is asked whether it is well, and a call finds out only then", () => {
    const balancer = balancerOf([...three().slice(0, 2), { endpoint: failing("ill") }]);
    const ill = balancer.members[2];
    if (ill === undefined) throw new Error("there are three");
    balancer.asked(ill, 0, false);
    expect(ejections).toEqual(["-ill"]);
    expect(balancer.takeProbe(800)).toBeUndefined();
    expect(balancer.takeProbe(1_200)).toBe(ill);
    expect(balancer.takeProbe(1_201)).toBeUndefined();
    balancer.asked(ill, 1_300, false);
    expect(balancer.takeProbe(2_500)).toBeUndefined();
    expect(balancer.takeProbe(3_600)).toBe(ill);
    balancer.asked(ill, 3_700, true);
    expect(ejections).toEqual(["-ill", "+ill"]);
    simulate({ balancer, random, callsPerSecond: 1_000, fromMs: 4_500, forMs: 500 });
    expect(ejections).toEqual(["-ill", "+ill", "-ill"]);
  });

  test("is a way out where no other admits a call", () => {
    const balancer = balancerOf([{ endpoint: well("a") }, { endpoint: failing("ill") }]);
    simulate({ balancer, random, callsPerSecond: 1_000, forMs: 500 });
    closedTo.add("a");
    expect(begin(balancer, 501)?.name).toBe("ill");
  });
});

describe("a call", () => {
  test("goes to nobody whose breaker is open, and nowhere if all are", () => {
    const balancer = balancerOf(three());
    closedTo.add("a").add("c");
    expect(new Set(Array.from({ length: 30 }, () => call(balancer, 0)))).toEqual(new Set(["b"]));
    closedTo.add("b");
    expect(begin(balancer, 0)).toBeUndefined();
  });

  test("avoids the endpoint that it is told to, unless there is no other", () => {
    const balancer = balancerOf(three());
    for (let n = 0; n < 100; n++) {
      const first = begin(balancer, 0);
      expect(begin(balancer, 0, first)).not.toBe(first);
    }
    const alone = balancerOf(three().slice(0, 1));
    const first = begin(alone, 0);
    expect(begin(alone, 0, first)).toBe(first);
  });
});

describe("endpoints that come and go", () => {
  test("keep what is known of them when they stay", () => {
    const candidates = three();
    const balancer = balancerOf(candidates);
    const [a] = balancer.members;
    balancer.update(100, [...candidates, { endpoint: well("d") }]);
    expect(balancer.members[0]).toBe(a);
    expect(balancer.members.map(({ name }) => name)).toEqual(["a", "b", "c", "d"]);
  });

  test("take their share within a second of coming, and little at first", () => {
    const candidates = three();
    const balancer = balancerOf(candidates);
    simulate({ balancer, random, callsPerSecond: 2_000, forMs: 2_000 });
    balancer.update(2_000, [...candidates, { endpoint: well("new") }]);
    const calls = simulate({ balancer, random, callsPerSecond: 2_000, fromMs: 2_000, forMs: 3_000 });
    const shareIn = (fromMs: number, toMs: number): number =>
      sharesOf(calls.filter(({ startedAtMs }) => startedAtMs >= fromMs && startedAtMs < toMs)).get("new") ?? 0;
    expect(shareIn(2_000, 2_100)).toBeLessThan(0.15);
    expect(shareIn(2_700, 3_000)).toBeGreaterThan(0.2);
    expect(shareIn(3_000, 5_000)).toBeLessThan(0.35);
  });

  test("get no call after they have left, whatever becomes of their last ones", () => {
    const candidates = three();
    const balancer = balancerOf(candidates);
    const inHand = Array.from({ length: 9 }, () => begin(balancer, 0));
    balancer.update(1, candidates.slice(1));
    expect(Array.from({ length: 50 }, () => call(balancer, 2))).not.toContain("a");
    for (const member of inHand) if (member) balancer.ended(member, 3, 0, "ill");
    expect(ejections).not.toContain("-a");
    balancer.update(4, []);
    expect(begin(balancer, 5)).toBeUndefined();
  });
});

describe("zones", () => {
  const zoned = (tookMs = 5) => [
    ...["a", "b"].map((name) => ({ endpoint: well(name, tookMs), zone: "here" })),
    ...["x", "y"].map((name) => ({ endpoint: well(name, tookMs), zone: "there" })),
  ];
  const shareThere = (balancer: Balancer<PaperReplica, string>, callsPerSecond: number): number => {
    const shares = sharesOf(simulate({ balancer, random, callsPerSecond, forMs: 5_000 }));
    return (shares.get("x") ?? 0) + (shares.get("y") ?? 0);
  };

  test("calls stay in theirs while it has room", () => {
    expect(shareThere(balancerOf(zoned(), "here"), 200)).toBeLessThan(0.03);
  });

  test("calls spill over where it has not", () => {
    expect(shareThere(balancerOf(zoned(100), "here"), 2_000)).toBeGreaterThan(0.1);
  });

  test("calls leave it when its endpoints take none, are slow, or there are none", () => {
    closedTo.add("a").add("b");
    expect(shareThere(balancerOf(zoned(), "here"), 500)).toBe(1);
    closedTo.clear();
    const slow = zoned().map(({ endpoint, zone }) => ({
      endpoint: zone === "here" ? well(endpoint.name, 300) : endpoint,
      zone,
    }));
    expect(shareThere(balancerOf(slow, "here"), 500)).toBeGreaterThan(0.9);
    expect(shareThere(balancerOf(zoned().slice(2), "here"), 500)).toBe(1);
    expect(shareThere(balancerOf(zoned(), "elsewhere"), 500)).toBeGreaterThan(0.4);
  });
});

describe("a traffic split", () => {
  const versions = () => [
    ...["a", "b"].map((name) => ({ endpoint: well(name), version: "1" })),
    { endpoint: well("c"), version: "2" },
    { endpoint: well("d") },
  ];
  const shareOf = (balancer: Balancer<PaperReplica, string>, name: string, callsPerSecond = 1_000): number =>
    sharesOf(simulate({ balancer, random, callsPerSecond, forMs: 20_000 })).get(name) ?? 0;

  test("sends a version its percentage, whatever its endpoints are, and all others the rest", () => {
    const balancer = balancerOf(versions());
    balancer.split(new Map([["2", 10]]));
    expect(Math.abs(shareOf(balancer, "c") - 0.1)).toBeLessThan(0.01);
    balancer.split(
      new Map([
        ["1", 0],
        ["2", 60],
      ]),
    );
    const shares = sharesOf(simulate({ balancer, random, callsPerSecond: 1_000, forMs: 20_000 }));
    expect(shares.has("a")).toBe(false);
    expect(Math.abs((shares.get("c") ?? 0) - 0.6)).toBeLessThan(0.02);
    balancer.split(new Map());
    expect(Math.abs(shareOf(balancer, "c") - 0.25)).toBeLessThan(0.08);
  });

  test("loses no call for a version that is not there, or fails", () => {
    const balancer = balancerOf(versions());
    balancer.split(
      new Map([
        ["3", 50],
        ["2", 50],
      ]),
    );
    expect(shareOf(balancer, "c")).toBe(1);
    closedTo.add("c");
    expect(shareOf(balancer, "c")).toBe(0);
  });
});

test("whatever happens, calls in hand are counted right and only admitting endpoints that are there are chosen", () => {
  const event = fc.record({
    kind: fc.constantFrom("begin", "end", "fail", "cancel", "open", "close", "update", "breaker", "split"),
    place: fc.nat(11),
    afterMs: fc.nat(3_000),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 250 }), fc.integer({ min: 1, max: 1e6 }), (events, seed) => {
      const all = Array.from({ length: 12 }, (_, index) => ({
        endpoint: failing(`${index}`),
        weight: 1 + (index % 3),
        zone: index % 2 ? "here" : "there",
        version: index % 4 ? "1" : "2",
      }));
      closedTo = new Set();
      const balancer = balancerOf(all.slice(0, 5), "here", seededRandom(seed));
      const inHand: { member: PaperReplica; startedAtMs: number }[] = [];
      const streams: PaperReplica[] = [];
      let [nowMs, present] = [0, all.slice(0, 5)];
      for (const { kind, place, afterMs } of events) {
        nowMs += afterMs;
        const name = `${place}`;
        if (kind === "begin") {
          const member = begin(balancer, nowMs, inHand[0]?.member);
          const open = present.filter(({ endpoint }) => !closedTo.has(endpoint.name));
          expect(member !== undefined).toBe(open.length > 0);
          if (member === undefined) continue;
          expect(open.map(({ endpoint }) => endpoint)).toContain(member);
          inHand.push({ member, startedAtMs: nowMs });
        } else if (kind === "close") {
          const stream = streams.shift();
          if (stream) balancer.closed(stream);
        } else if (kind === "update") {
          present = all.slice(place, place + 4);
          balancer.update(nowMs, present);
        } else if (kind === "breaker") {
          if (!closedTo.delete(name)) closedTo.add(name);
        } else if (kind === "split") {
          balancer.split(new Map([["2", place * 8]]));
        } else {
          const [begun] = inHand.splice(place % Math.max(1, inHand.length), 1);
          if (begun === undefined) continue;
          if (kind === "open") {
            balancer.opened(begun.member, nowMs, begun.startedAtMs);
            streams.push(begun.member);
          } else {
            const verdict = kind === "end" ? "well" : kind === "fail" ? "ill" : "unknown";
            balancer.ended(begun.member, nowMs, begun.startedAtMs, verdict);
          }
        }
        for (const member of [...balancer.members, ...inHand.map(({ member }) => member)]) {
          expect(member.balanced.load.outstanding).toBe(inHand.filter((begun) => begun.member === member).length);
        }
      }
      for (const { member, startedAtMs } of inHand) balancer.ended(member, nowMs, startedAtMs, "well");
      for (const member of streams) balancer.closed(member);
      for (const { endpoint } of all) {
        expect([endpoint.balanced.load.outstanding, endpoint.balanced.load.streams]).toEqual([0, 0]);
      }
    }),
    { numRuns: 200 },
  );
});
