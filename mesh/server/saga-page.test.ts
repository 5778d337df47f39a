import { expect, test } from "vitest";
import type { SagaStatus } from "./admin-sagas.ts";
import { pageOfSagas } from "./saga-page.ts";

function saga(sagaId: string, changedMs: number): SagaStatus {
  const nothing = { dueAt: undefined, leaseOwner: "", stuckBecause: "", traceId: "", lastError: "", failures: 0 };
  const changedAt = new Date(changedMs);
  return { sagaId, kind: "checkout", state: "PLACED", nextStep: "reserve", attempts: 1, changedAt, ...nothing };
}

test("pages bring each saga once, those longest without progress first, and by id where that is the same", () => {
  const sagas = [saga("c", 2_000), saga("b", 2_000), saga("d", 3_000), saga("a", 2_000), saga("e", 1_000)];
  const seen: string[][] = [];
  for (let after: readonly string[] | undefined, page = 0; page < 5; page += 1) {
    const { sagas: found, next } = pageOfSagas(sagas, { after, limit: 2 });
    seen.push(found.map(({ sagaId }) => sagaId));
    if (next === undefined) break;
    after = next;
  }
  expect(seen).toEqual([["e", "a"], ["b", "c"], ["d"]]);
});
