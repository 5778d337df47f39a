import fc from "fast-check";
import { expect, test } from "vitest";
import { deriveSeed, schedule } from "./schedule.ts";

const kinds = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 12 });
const options = fc.record({ seed: fc.nat(), kinds, seedCount: fc.integer({ min: 1, max: 4 }) });

test("the same seed gives the same schedule", () => {
  fc.assert(
    fc.property(options, (asked) => {
      expect(schedule(asked)).toEqual(schedule(asked));
    }),
  );
});

test("every kind comes with every seed, once", () => {
  fc.assert(
    fc.property(options, (asked) => {
      const names = schedule(asked).map(({ name }) => name);
      const wanted = asked.kinds.flatMap((kind) =>
        Array.from({ length: asked.seedCount }, (_, i) => `${kind}/${i + 1}`),
      );
      expect(names.toSorted()).toEqual(wanted.toSorted());
    }),
  );
});

test("a cell alone is the cell that it was among others", () => {
  fc.assert(
    fc.property(options, (asked) => {
      const [kind = ""] = asked.kinds;
      const alone = schedule({ ...asked, kinds: [kind] });
      const all = schedule(asked).filter((cell) => cell.kind === kind);
      expect(alone.toSorted(byName)).toEqual(all.toSorted(byName));
    }),
  );
});

test("another seed gives other cells", () => {
  expect(deriveSeed(1, "kill-order/1")).not.toBe(deriveSeed(2, "kill-order/1"));
  expect(deriveSeed(1, "kill-order/1")).not.toBe(deriveSeed(1, "kill-order/2"));
});

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
