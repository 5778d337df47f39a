/** The sum of a counter over all its labels, in Prometheus' text format; units may be part of its name. */
export function sumOf(metrics: string, name: string): number {
  const stem = name.replace(/_(count|total)$/, "");
  const ending = name.slice(stem.length);
  const line = new RegExp(`^${stem}(?:_[a-z]+)?${ending}(?:\\{.*\\})? ([-+.\\deE]+)$`, "gm");
  return [...metrics.matchAll(line)].reduce((sum, [, value]) => sum + Number(value), 0);
}
