/** Numbers from 0 up to 1. */
export type Random = () => number;

/** mulberry32: a small generator whose numbers follow from its seed alone. */
export function seededRandom(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws indexes, each as often as its weight says. */
export function createDraw(weights: readonly number[]): (random: Random) => number {
  const sums: number[] = [];
  let sum = 0;
  for (const weight of weights) {
    sum += weight;
    sums.push(sum);
  }
  return (random) => {
    const at = random() * sum;
    let first = 0;
    for (let last = sums.length - 1; first < last; ) {
      const middle = (first + last) >> 1;
      if ((sums[middle] ?? 0) > at) last = middle;
      else first = middle + 1;
    }
    return first;
  };
}

/** Weights of ranks as people's choices have them (Zipf and Mandelbrot): the first are chosen often, the long tail now and then. */
export function zipfWeights(count: number, { flatness, exponent }: { flatness: number; exponent: number }): number[] {
  return Array.from({ length: count }, (_, rank) => (rank + 1 + flatness) ** -exponent);
}

/** A whole number from min to max. */
export function integerFrom(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}

export function oneOf<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("there is nothing to choose from");
  return item;
}
