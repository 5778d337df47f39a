import fc from "fast-check";
import { expect, test } from "vitest";
import { createRetryBudget, type RetryBudget } from "./retry-budget.ts";

function budgetAt(): { budget: RetryBudget; wait: (ms: number) => void } {
  let at = 5_000;
  const budget = createRetryBudget({ now: () => 0, monotonic: () => at });
  const wait = (ms: number): void => {
    at += ms;
  };
  return { budget, wait };
}

/** Spends what it can; how often it could. */
function spendAll(budget: RetryBudget): number {
  let spent = 0;
  while (budget.spend()) spent += 1;
  return spent;
}

type Step = { readonly kind: "calls" | "retries" | "wait"; readonly n: number };
const steps = fc.array(
  fc.record<Step>({ kind: fc.constantFrom("calls", "retries", "wait"), n: fc.integer({ min: 0, max: 2_000 }) }),
);

test("in any order of events repetitions stay within 10 + a tenth of the calls + one a second", () => {
  fc.assert(
    fc.property(steps, (events) => {
      const { budget, wait } = budgetAt();
      let [calls, spent, waitedMs] = [0, 0, 0];
      for (const { kind, n } of events) {
        if (kind === "calls") for (let call = 0; call < n; call++) budget.earn();
        if (kind === "retries") for (let retry = 0; retry < n; retry++) spent += budget.spend() ? 1 : 0;
        if (kind === "wait") wait(n);
        calls += kind === "calls" ? n : 0;
        waitedMs += kind === "wait" ? n : 0;
        expect(spent).toBeLessThanOrEqual(10 + calls / 10 + waitedMs / 1_000 + 1e-6);
        expect(budget.balance).toBeGreaterThanOrEqual(0);
        expect(budget.balance).toBeLessThanOrEqual(100);
      }
    }),
  );
});

test("a repetition is refused only while there is less than one to spend", () => {
  fc.assert(
    fc.property(steps, (events) => {
      const { budget, wait } = budgetAt();
      for (const { kind, n } of events) {
        if (kind === "calls") for (let call = 0; call < n; call++) budget.earn();
        if (kind === "wait") wait(n);
        const before = budget.balance;
        expect(budget.spend()).toBe(before >= 1);
      }
    }),
  );
});

test("a client begins with ten, and after that ten calls earn one", () => {
  const { budget } = budgetAt();
  expect(spendAll(budget)).toBe(10);
  for (let call = 0; call < 9; call++) budget.earn();
  expect(budget.spend()).toBe(false);
  budget.earn();
  expect([budget.spend(), budget.spend()]).toEqual([true, false]);
});

test("a client that calls seldom gets its ten back, one a second, and no more", () => {
  const { budget, wait } = budgetAt();
  spendAll(budget);
  wait(999);
  expect(budget.spend()).toBe(false);
  wait(1);
  expect(spendAll(budget)).toBe(1);
  wait(3_600_000);
  expect(spendAll(budget)).toBe(10);
});

test("time adds nothing to what calls have earned above the floor", () => {
  const { budget, wait } = budgetAt();
  for (let call = 0; call < 500; call++) budget.earn();
  wait(3_600_000);
  expect(spendAll(budget)).toBe(60);
});

test("no more than a hundred are saved up", () => {
  const { budget } = budgetAt();
  for (let call = 0; call < 100_000; call++) budget.earn();
  expect(spendAll(budget)).toBe(100);
});
