/** At most so many names are suggested. */
const suggestionsMax = 3;

/**
 * The names most like a mistyped one, best first; none that is too far off to be meant.
 * What ends alike ("OrderService" for "shop.order.v1.OrderService") counts as near.
 */
export function nearest(typed: string, names: Iterable<string>): string[] {
  const wanted = typed.toLowerCase();
  return [...new Set(names)]
    .map((name) => ({ name, distance: distanceTo(wanted, name.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(2, Math.floor(wanted.length / 3)))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, suggestionsMax)
    .map(({ name }) => name);
}

function distanceTo(wanted: string, name: string): number {
  if (/[./]/.test(name) && (name.endsWith(`.${wanted}`) || name.endsWith(`/${wanted}`))) return 0;
  const tail = lastPart(name);
  return Math.min(editDistance(wanted, name), 1 + editDistance(lastPart(wanted), tail));
}

function lastPart(name: string): string {
  return name.slice(Math.max(name.lastIndexOf("."), name.lastIndexOf("/")) + 1);
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** "Did you mean ...?", or what else there is. */
export function didYouMean(typed: string, names: Iterable<string>): string | undefined {
  const near = nearest(typed, names);
  return near.length === 0 ? undefined : `did you mean ${near.join(" or ")}?`;
}
