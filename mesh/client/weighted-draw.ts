/** Draws an index with a probability proportional to its weight, in constant time; of none 0. @param chance in [0, 1) */
export type WeightedDraw = (chance: number) => number;

/**
 * Prepares draws by Vose's alias method: each column holds an index and, above a threshold, a second one.
 *
 * @param weights positive
 * @see https://www.keithschwarz.com/darts-dice-coins/
 */
export function createWeightedDraw(weights: readonly number[]): WeightedDraw {
  const count = weights.length;
  const [first = 1] = weights;
  if (weights.every((weight) => weight === first)) return (chance) => Math.floor(chance * count);

  const thresholds = new Float64Array(count).fill(1);
  const aliases = new Uint32Array(count);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scaled = weights.map((weight) => (weight * count) / total);
  const small: number[] = [];
  const large: number[] = [];
  for (const [index, weight] of scaled.entries()) (weight < 1 ? small : large).push(index);
  for (;;) {
    const poor = small.pop();
    const rich = large.pop();
    // What is left over on one side is so by rounding only: its column is all its own.
    if (poor === undefined || rich === undefined) break;
    thresholds[poor] = scaled[poor] ?? 1;
    aliases[poor] = rich;
    scaled[rich] = (scaled[rich] ?? 0) + (scaled[poor] ?? 0) - 1;
    ((scaled[rich] ?? 0) < 1 ? small : large).push(rich);
  }
  return (chance) => {
    const place = chance * count;
    const column = Math.floor(place);
    return place - column < (thresholds[column] ?? 1) ? column : (aliases[column] ?? column);
  };
}
