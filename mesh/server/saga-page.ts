import type { SagaAdmin, SagaStatus } from "./admin-sagas.ts";

/** A page of sagas that are all in memory, those longest without progress first; what `SagaAdmin.list` answers. */
export function pageOfSagas(
  sagas: readonly SagaStatus[],
  { after, limit }: { readonly after: readonly string[] | undefined; readonly limit: number },
): Awaited<ReturnType<SagaAdmin["list"]>> {
  const rest = sagas.filter((saga) => after === undefined || compare(positionOf(saga), after) > 0);
  rest.sort((a, b) => compare(positionOf(a), positionOf(b)));
  const page = rest.slice(0, limit);
  const last = rest.length > limit ? page.at(-1) : undefined;
  return { sagas: page, next: last && positionOf(last) };
}

function positionOf({ changedAt, sagaId }: SagaStatus): readonly string[] {
  return [changedAt.toISOString(), sagaId];
}

function compare([time = "", id = ""]: readonly string[], [otherTime = "", otherId = ""]: readonly string[]): number {
  if (time !== otherTime) return time < otherTime ? -1 : 1;
  return id === otherId ? 0 : id < otherId ? -1 : 1;
}
