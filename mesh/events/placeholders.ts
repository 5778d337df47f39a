/**
 * The values of an `IN (...)`, filled up to the next power of two with the last one, and as many question marks: a handful of
 * statement texts for any number of values, each of which the server keeps prepared.
 */
export function inList<T>(values: readonly T[]): { readonly marks: string; readonly values: T[] } {
  const last = values.at(-1);
  if (last === undefined) throw new Error("IN () needs at least one value");
  const length = 2 ** Math.ceil(Math.log2(values.length));
  const filled = [...values, ...Array<T>(length - values.length).fill(last)];
  return { marks: filled.map(() => "?").join(", "), values: filled };
}
