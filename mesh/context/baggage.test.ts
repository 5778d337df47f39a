import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Criticality, criticalities } from "../contract/criticality.ts";
import { firstOfChain, formatBaggage, parseBaggage, withMembers, withoutMembers } from "./baggage.ts";

const anyCriticality = fc.option(fc.constantFrom<Criticality>(...criticalities), { nil: undefined });
const anyAttempt = fc.integer({ min: 1, max: 99 });
/** A member of somebody else's: token, value, perhaps a property. */
const foreign = fc
  .tuple(
    fc.stringMatching(/^[a-z!#$*.^_`|~0-9-]{1,12}$/),
    fc.stringMatching(/^[!#-+./0-:<-[\]-~-]{0,12}$/),
    fc.boolean(),
  )
  .filter(([key]) => !key.startsWith("weft-"))
  .map(([key, value, property]) => `${key}=${value}${property ? ";ttl=5" : ""}`);

describe("parseBaggage()", () => {
  test("reads back what formatBaggage() writes, alone and among the members of others", () => {
    fc.assert(
      fc.property(anyAttempt, anyCriticality, fc.array(foreign), (attempt, criticality, others) => {
        const own = formatBaggage(attempt, criticality);
        expect(parseBaggage(own)).toEqual({ attempt, criticality });
        const all = own === undefined ? others.join(",") : withMembers(others.join(","), own);
        expect(parseBaggage(all)).toEqual({ attempt, criticality });
      }),
    );
  });

  test.each<[string | null | undefined, number, Criticality | undefined]>([
    [undefined, 1, undefined],
    [null, 1, undefined],
    ["", 1, undefined],
    ["weft-attempt=2", 2, undefined],
    ["weft-criticality=sheddable", 1, "sheddable"],
    ["tenant=7 , weft-attempt = 3 ;x=1, weft-criticality=critical;y", 3, "critical"],
    ["weft-attempt=2,weft-attempt=4,weft-attempt=3", 4, undefined],
    ["weft-criticality=default,weft-criticality=critical", 1, "default"],
    ["weft-attempt=0", 1, undefined],
    ["weft-attempt=-1", 1, undefined],
    ["weft-attempt=2.5", 1, undefined],
    ["weft-attempt=1000", 99, undefined],
    ["weft-attempt=99999999999999999999", 1, undefined],
    ["weft-attempt", 1, undefined],
    ["weft-criticality=CRITICAL", 1, undefined],
    [",,=,;", 1, undefined],
  ])("of %j is attempt %j, criticality %j", (value, attempt, criticality) => {
    expect(parseBaggage(value)).toEqual({ attempt, criticality });
  });

  test("takes any text without a complaint", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (value) => {
        const { attempt } = parseBaggage(value);
        expect(Number.isInteger(attempt) && attempt >= 1 && attempt <= 99).toBe(true);
      }),
    );
  });

  test("of what a peer of ours sends makes no new object", () => {
    expect(parseBaggage("weft-attempt=2")).toBe(parseBaggage("weft-attempt=2"));
    expect(parseBaggage(undefined)).toBe(firstOfChain);
  });
});

describe("formatBaggage()", () => {
  test("says nothing of a first attempt whose criticality nobody has set", () => {
    expect(formatBaggage(1, undefined)).toBeUndefined();
  });

  test.each([
    [2, undefined, "weft-attempt=2"],
    [1, "critical", "weft-criticality=critical"],
    [3, "sheddable", "weft-attempt=3,weft-criticality=sheddable"],
    [6, "default", "weft-attempt=6,weft-criticality=default"],
    [1_000, undefined, "weft-attempt=99"],
  ] as const)("of attempt %j, criticality %j is %j", (attempt, criticality, expected) => {
    expect(formatBaggage(attempt, criticality)).toBe(expected);
  });
});

describe("withoutMembers()", () => {
  test("takes ours away, wherever they are, and keeps those of others in order", () => {
    fc.assert(
      fc.property(fc.array(foreign), fc.array(foreign), (before, behind) => {
        const given = [...before, "weft-attempt=2", " weft-criticality = critical;x", ...behind].join(",");
        expect(withoutMembers(given) ?? "").toBe([...before, ...behind].join(","));
      }),
    );
  });
});
