import { expect, test } from "vitest";
import { createPopular } from "./popular.ts";

/** A popular list that is asked for from `answer`, and time that stands still. */
function world(answer: () => Promise<readonly string[] | undefined>) {
  let nowMs = 0;
  let asked = 0;
  const popular = createPopular({
    ask: () => {
      asked += 1;
      return answer();
    },
    clock: { now: () => nowMs, monotonic: () => nowMs },
  });
  return { popular, asked: () => asked, wait: (ms: number) => (nowMs += ms) };
}

test("many who ask at once wait for one answer, which is good for a minute", async () => {
  const { popular, asked, wait } = world(async () => ["A"]);
  expect(await Promise.all([popular(), popular(), popular()])).toEqual([["A"], ["A"], ["A"]]);
  wait(59_999);
  await popular();
  expect(asked()).toBe(1);
  wait(1);
  await popular();
  expect(asked()).toBe(2);
});

test("nobody waits while an old list is made new", async () => {
  const answers = [Promise.resolve(["old"]), Promise.withResolvers<string[]>().promise];
  const { popular, wait } = world(() => answers.shift() ?? Promise.reject(new Error("asked too often")));
  await popular();
  wait(60_000);
  expect([await popular(), await popular()]).toEqual([["old"], ["old"]]);
});

test.each([
  ["a failure", () => Promise.reject(new Error("away"))],
  ["no answer", async () => undefined],
])("%s leaves the old list, and is not repeated for five seconds", async (_title, fail) => {
  let answer: () => Promise<readonly string[] | undefined> = async () => ["old"];
  const { popular, asked, wait } = world(() => answer());
  await popular();
  answer = fail;
  wait(60_000);
  for (let i = 0; i < 3; i += 1) expect(await popular()).toEqual(["old"]);
  expect(asked()).toBe(2);
  wait(2_000);
  await popular();
  expect(asked()).toBe(3);
});

test("an empty list is asked for again soon: a shop that has just opened", async () => {
  const answers: string[][] = [[], ["A"]];
  const { popular, wait } = world(async () => answers.shift());
  expect(await popular()).toEqual([]);
  wait(2_000);
  expect(await popular()).toEqual(["A"]);
});
