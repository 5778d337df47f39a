/** The colours of one picture, each as "#rrggbb". */
export interface Colours {
  /** Of the thing, in its own light, its shade and its highlight. */
  readonly main: string;
  readonly shade: string;
  readonly light: string;
  /** Of its second part: a handle, a label, a band. */
  readonly second: string;
  readonly ground: string;
  readonly table: string;
  readonly shadow: string;
}

/** What a word in a product's name looks like. The first that is found counts. */
const materials: readonly (readonly [words: RegExp, colour: string])[] = [
  [/midnight-blue/, "#26334f"],
  [/cobalt|indigo|denim|fjord/, "#35518c"],
  [/coastal|blue-steel|slate|storm|harbour|monsoon/, "#5b7488"],
  [/oxblood|damascus|library/, "#6d2a2c"],
  [/terracotta|rust|copper|sidamo|chiapas/, "#b5623f"],
  [/brass|ochre|mandheling|caddy/, "#c49a45"],
  [/bottle-green|olive|loden|woodland|moss-green|juniper|evening/, "#53633f"],
  [/celadon|sea-green|garden|meadow|mint/, "#86a48c"],
  [/walnut|bog-oak|plum-wood|saddle|dark|smoked|espresso/, "#6b4a35"],
  [/leather|cherry|rattan|cork|oak|atelier|traveller/, "#a5713f"],
  [/ash|birch|beech|maple|bamboo|hemp|canvas|undyed|sand|jute/, "#d0b48a"],
  [/black|ebon|charcoal|cast-iron|iron|basecamp|oilskin/, "#33353a"],
  [/white|chalk|ivory|porcelain|paper|opal|alabaster|linen|cotton|winter/, "#ece5d8"],
  [/steel|stainless|titanium|alumin|brushed|hammered|-ply|forged|felt|tweed|speckled|alpine/, "#a9adb0"],
];

/** Dyes of old, for what says nothing of its colour: madder, weld, woad, walnut, reseda, logwood. */
const dyes = ["#b5452f", "#c9a13b", "#4f6f94", "#7b5a41", "#7d8f5a", "#6b5471", "#c77b58", "#3f6b66"];
const grounds = ["#e7dfd2", "#dfe3dc", "#e6d9d2", "#d9e0e4", "#e9e4cf", "#e0dae2", "#d8e2da", "#ecdfd6"];
const seconds = ["#8a5a3b", "#2f3136", "#b98a4a", "#5d4030"];

/** @param number any whole number that goes with the product: what the words leave open follows from it */
export function chooseColours(name: string, number: number): Colours {
  const words = name.toLowerCase();
  const main = materials.find(([pattern]) => pattern.test(words))?.[1] ?? pick(dyes, number);
  const second = farFrom(main, number >>> 8);
  const ground = pick(grounds, number >>> 4);
  return {
    ...{ main, second, ground },
    shade: mix(main, "#14100c", 0.22),
    light: mix(main, "#ffffff", 0.28),
    table: mix(ground, "#3a2f25", 0.1),
    shadow: mix(ground, "#3a2f25", 0.26),
  };
}

/** @param share of the second colour, 0 to 1 */
export function mix(one: string, other: string, share: number): string {
  const [a, b] = [channels(one), channels(other)];
  const mixed = a.map((value, index) => Math.round(value * (1 - share) + (b[index] ?? 0) * share));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** One of the second colours that can be told from the first. */
function farFrom(main: string, number: number): string {
  const ofMain = brightness(main);
  const apart = seconds.filter((each) => Math.abs(brightness(each) - ofMain) > 50);
  return pick(apart.length > 0 ? apart : seconds, number);
}

function brightness(colour: string): number {
  const [red = 0, green = 0, blue = 0] = channels(colour);
  return 0.3 * red + 0.59 * green + 0.11 * blue;
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}

function pick(items: readonly string[], number: number): string {
  return items[number % items.length] ?? "#888888";
}
