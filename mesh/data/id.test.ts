import { Code, type ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../contract/clock.ts";
import { bucketCount, bucketFor, bucketOf, newId, newUlid } from "./id.ts";

const anyBucket = fc.integer({ min: 0, max: bucketCount - 1 });
const anyTimeMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const clockAt = (nowMs: number) => ({ ...systemClock, now: () => nowMs });

test("newId() makes ids of 32 characters from which bucketOf() reads the bucket", () => {
  fc.assert(
    fc.property(
      anyBucket,
      anyTimeMs,
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (bucket, nowMs, chances) => {
        const id = newId("ord", bucket, { clock: clockAt(nowMs), random: () => chances.next().value });
        expect(id).toMatch(/^ord_[0-9A-HJKMNP-TV-Z]{28}$/);
        expect(bucketOf(id)).toBe(bucket);
      },
    ),
  );
});

test("ids of one bucket sort by the millisecond in which they were made", () => {
  fc.assert(
    fc.property(anyBucket, anyTimeMs, anyTimeMs, (bucket, a, b) => {
      const [first, second] = [a, b].map((ms) => newId("usr", bucket, { clock: clockAt(ms), random: () => 0.5 }));
      expect(Math.sign(a - b)).toBe((first ?? "") < (second ?? "") ? -1 : first === second ? 0 : 1);
    }),
  );
});

test("newUlid() writes time as the ULID specification does", () => {
  // The specification's own example: 01ARZ3NDEK...
  expect(newUlid({ clock: clockAt(1_469_918_176_385), random: () => 0 })).toBe("01ARYZ6S410000000000000000");
});

test.each([
  "",
  "ord_",
  "ord_00",
  "ORD_0001KAMX5G9Q0000000000000000",
  "ord_UU01KAMX5G9Q0000000000000000",
  "ord-0001KAMX5G9Q0000000000000000",
])("bucketOf(%j) is INVALID_ARGUMENT", (id) => {
  const error = caught(() => bucketOf(id, "order_id"));
  expect(error).toMatchObject({ code: Code.InvalidArgument });
  expect((error as ConnectError).rawMessage).toContain("order_id");
});

test("newId() refuses a bucket that is none", () => {
  for (const bucket of [-1, bucketCount, 1.5, Number.NaN]) {
    expect(() => newId("ord", bucket, { clock: systemClock, random: Math.random })).toThrow("is no bucket");
  }
});

test("bucketFor() never changes: ids of today must be found tomorrow", () => {
  expect(["", "a", "ada@example.com"].map(bucketFor)).toMatchInlineSnapshot(`
    [
      944,
      663,
      508,
    ]
  `);
});

test("bucketFor() spreads evenly", () => {
  const counts = new Array<number>(bucketCount).fill(0);
  for (let i = 0; i < 100 * bucketCount; i += 1) {
    const bucket = bucketFor(`user-${i}@example.com`);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  // 100 expected; six standard deviations.
  expect(Math.min(...counts)).toBeGreaterThan(40);
  expect(Math.max(...counts)).toBeLessThan(160);
});

function caught(fn: () => unknown): unknown {
  try {
    return fn();
  } catch (error) {
    return error;
  }
}
