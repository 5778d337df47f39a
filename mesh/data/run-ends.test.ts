import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createRunEnds } from "./run-ends.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const row = (index: number) => ({ key: `row-${index}`, leaseToken: BigInt(index) });
const rows = (count: number) => Array.from({ length: count }, (_, index) => row(index));

function recorded(fail?: (batch: number) => boolean) {
  const written: string[][] = [];
  const errors: unknown[] = [];
  const ends = createRunEnds({
    async write(batch) {
      written.push(batch.map(({ key }) => key));
      if (fail?.(written.length)) throw new Error("the database is away");
    },
    onError: (error) => errors.push(error),
  });
  return { ends, written, errors };
}

test("runs that end within fifty milliseconds are written together", async () => {
  const { ends, written } = recorded();
  for (const each of rows(3)) ends.add(each);
  await vi.advanceTimersByTimeAsync(49);
  expect(written).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(written).toEqual([["row-0", "row-1", "row-2"]]);
});

test("a full statement does not wait, and holds no more rows than it may", async () => {
  const { ends, written } = recorded();
  for (const each of rows(70)) ends.add(each);
  await vi.advanceTimersByTimeAsync(0);
  expect(written.map((batch) => batch.length)).toEqual([64]);
  await vi.advanceTimersByTimeAsync(50);
  expect(written.map((batch) => batch.length)).toEqual([64, 6]);
});

test("flush() writes at once what waits; a failure is told, and holds up nothing after it", async () => {
  const { ends, written, errors } = recorded((batch) => batch === 1);
  ends.add(row(1));
  await ends.flush();
  expect(errors).toEqual([new Error("the database is away")]);
  ends.add(row(2));
  await ends.flush();
  expect(written).toEqual([["row-1"], ["row-2"]]);
});
