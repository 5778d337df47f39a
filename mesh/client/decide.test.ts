import { Code, type ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatBaggage, parseBaggage } from "../context/baggage.ts";
import { rpcError } from "../contract/errors.ts";
import { type MethodPolicy, readPolicies } from "../contract/policy.ts";
import { forbidRetry } from "../contract/pushback.ts";
import { EchoService } from "../gen/weft/echo/v1/echo_pb.ts";
import { createRetryBudget, type RetryBudget } from "../resilience/retry-budget.ts";
import { isDecided, mayTryAgain } from "./decide.ts";

const policies = readPolicies(EchoService);
function policyOf(method: typeof EchoService.method.echo | typeof EchoService.method.echoAgain): MethodPolicy {
  const policy = policies.get(method);
  if (policy === undefined) throw new Error("no policy");
  return policy;
}
const repeatable = policyOf(EchoService.method.echoAgain);
const once = policyOf(EchoService.method.echo);

function away(): ConnectError {
  return rpcError(Code.Unavailable, "away");
}
function pushedBack(): ConnectError {
  const error = away();
  forbidRetry(error);
  return error;
}

describe("mayTryAgain()", () => {
  test.each<[string, MethodPolicy, ConnectError, number, boolean]>([
    ["a failure that another attempt may mend", repeatable, away(), 1, true],
    ["a method that is not to be repeated", once, away(), 1, false],
    ["a call that is repeated above", repeatable, away(), 2, false],
    ["one that has been repeated below", repeatable, pushedBack(), 1, false],
    ["one whose caller has left", repeatable, rpcError(Code.Canceled, ""), 1, false],
    ["an answer", repeatable, rpcError(Code.NotFound, ""), 1, false],
  ])("of %s", (_name, policy, error, above, expected) => {
    expect(mayTryAgain(policy, error, above)).toBe(expected);
  });
});

describe("isDecided()", () => {
  test.each<[string, MethodPolicy, ConnectError, boolean]>([
    ["a failure that this hop may repeat", repeatable, away(), true],
    ["one that it may not: those above may", once, away(), false],
    ["one that has been decided below", once, pushedBack(), true],
    ["a breaker that holds the method back", once, rpcError(Code.Unavailable, "", { reason: "BREAKER_OPEN" }), true],
    ["what nobody repeats anyhow", repeatable, rpcError(Code.Internal, ""), false],
  ])("of %s", (_name, policy, error, expected) => {
    expect(isDecided(policy, error)).toBe(expected);
  });
});

/** A hop of a chain: of ours, or one that hands headers on and errors too, or errors of its own. */
type Hop = { readonly budget: RetryBudget } | "hands on" | "hides";

test("whatever a chain is made of, repetitions at its end add up to a tenth for each hop that hides what it was told", () => {
  const kinds = fc.array(fc.constantFrom("ours", "hands on", "hides"), { minLength: 1, maxLength: 8 });
  const failing = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(kinds, failing, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (made, part, draws) => {
      const clock = { now: () => 0, monotonic: () => 0 };
      const hops = made.map((kind): Hop => (kind === "ours" ? { budget: createRetryBudget(clock) } : (kind as Hop)));
      let atLeaf = 0;
      /** Passes hop n with that baggage; what it failed with, if it did. */
      const pass = (n: number, baggage: string | undefined): ConnectError | undefined => {
        const hop = hops[n];
        if (hop === undefined) {
          atLeaf += 1;
          return draws.next().value < part ? away() : undefined;
        }
        if (hop === "hands on") return pass(n + 1, baggage);
        if (hop === "hides") return pass(n + 1, baggage) && away();
        const above = parseBaggage(baggage).attempt;
        if (above === 1) hop.budget.earn();
        let error: ConnectError | undefined;
        for (let attempt = 1; attempt <= 3; attempt++) {
          error = pass(n + 1, formatBaggage(above + attempt - 1, undefined));
          if (error === undefined || !mayTryAgain(repeatable, error, above)) break;
          if (attempt === 3 || !hop.budget.spend()) break;
        }
        if (error && isDecided(repeatable, error)) forbidRetry(error);
        return error;
      };
      const calls = 300;
      for (let call = 0; call < calls; call++) pass(0, undefined);
      const stretches = 1 + made.filter((kind) => kind === "hides").length;
      expect(atLeaf).toBeLessThanOrEqual(calls + (calls / 10 + 10) * stretches);
    }),
    { numRuns: 50 },
  );
});
