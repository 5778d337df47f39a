import { type Colours, chooseColours } from "./colours.ts";
import type { Drawing } from "./drawing.ts";
import { house } from "./house.ts";
import { journeys } from "./journeys.ts";
import { kitchen } from "./kitchen.ts";
import { box, disc, oval } from "./strokes.ts";

/** What a picture shows. */
export interface Pictured {
  readonly sku: string;
  readonly name: string;
  readonly category: string;
}

/** Where the words of a name are looked for first: a "mint tea" is no lamp for its "light". */
const byCategory: Readonly<Record<string, readonly Drawing[]>> = {
  "coffee-beans": kitchen,
  "coffee-gear": kitchen,
  tea: kitchen,
  knives: kitchen,
  cookware: kitchen,
  tableware: kitchen,
  linens: house,
  lighting: house,
  home: house,
  stationery: journeys,
  outdoor: journeys,
  bags: journeys,
};
const everything = [...kitchen, ...house, ...journeys];

/** For a product whose name says nothing that can be drawn. */
const plainThing: Drawing = {
  words: /^/,
  ...{ stands: true, foot: 150 },
  draw: ({ main, shade, second }) =>
    box(130, 180, 140, 135, main, 10) + box(216, 180, 54, 135, shade, 10) + disc(200, 160, 30, second),
};

/**
 * The picture of a product as SVG, 400 by 400, drawn from its name: what it is, what it is made of. The same product is always
 * drawn the same. Nothing of the product's text is in it.
 */
export function drawPicture({ sku, name, category }: Pictured): string {
  const drawing = findDrawing(name, category) ?? plainThing;
  const colours = chooseColours(name, numberOf(sku));
  const scene = drawing.stands ? onTable(colours, drawing) : before(colours, drawing);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400">${scene}</svg>`;
}

/** How this thing is drawn; undefined if its name says nothing that we could draw. */
export function findDrawing(name: string, category: string): Drawing | undefined {
  const words = name.toLowerCase();
  return [...(byCategory[category] ?? []), ...everything].find((each) => each.words.test(words));
}

function onTable(colours: Colours, { draw, foot = 160 }: Drawing): string {
  const { ground, table, shadow } = colours;
  return (
    box(0, 0, 400, 400, ground) + box(0, 274, 400, 126, table) + oval(212, 316, foot + 54, 22, shadow) + draw(colours)
  );
}

/** Lying before us, in the light of a window. */
function before(colours: Colours, { draw }: Drawing): string {
  const { ground, table } = colours;
  return `${box(0, 0, 400, 400, ground)}<path d="M0 400L400 0v400z" fill="${table}" opacity=".5"/>${draw(colours)}`;
}

/** FNV-1a: near SKUs give numbers far apart. */
function numberOf(sku: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < sku.length; index++) hash = Math.imul(hash ^ sku.charCodeAt(index), 0x01000193);
  hash ^= hash >>> 15;
  return hash >>> 0;
}
