import fc from "fast-check";
import { expect, test } from "vitest";
import { commonSubject } from "./subjects.ts";

test.each([
  [["shop.order.v1.OrderConfirmed"], "shop.order.v1.OrderConfirmed"],
  [["shop.order.v1.OrderConfirmed", "shop.order.v1.OrderCancelled"], "shop.order.v1.>"],
  [["shop.order.v1.OrderConfirmed", "shop.user.v1.UserRegistered"], "shop.>"],
  [["a.b", "a.b"], "a.b"],
  [["a.b", "a.b.c"], "a.>"],
  [["a.b", "c.d"], ">"],
])("commonSubject(%j) is %s", (subjects, filter) => {
  expect(commonSubject(subjects)).toBe(filter);
});

test("commonSubject() needs a subject", () => {
  expect(() => commonSubject([])).toThrow("at least one");
});

test("commonSubject() matches each of its subjects, and nothing narrower would", () => {
  const anySubject = fc
    .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 5 })
    .map((tokens) => tokens.join("."));
  fc.assert(
    fc.property(fc.array(anySubject, { minLength: 1, maxLength: 5 }), (subjects) => {
      const filter = commonSubject(subjects);
      for (const subject of subjects) expect(matches(filter, subject)).toBe(true);
      if (!filter.endsWith(">")) return;
      for (const token of ["a", "b", "c"]) {
        const narrower = filter.replace(/>$/, `${token}.>`);
        expect(subjects.every((subject) => matches(narrower, subject))).toBe(false);
      }
    }),
  );
});

/** NATS: ">" stands for one token or more. */
function matches(filter: string, subject: string): boolean {
  if (!filter.endsWith(">")) return filter === subject;
  const prefix = filter.slice(0, -1);
  return subject.startsWith(prefix) && subject.length > prefix.length;
}
