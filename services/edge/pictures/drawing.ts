import type { Colours } from "./colours.ts";

/** How a kind of thing is drawn. */
export interface Drawing {
  /** What the product's name says of it, in lower case. */
  readonly words: RegExp;
  /** On a table, its foot at y = 315; otherwise it lies before us. */
  readonly stands: boolean;
  /** How wide its shadow on the table is. */
  readonly foot?: number;
  draw(colours: Colours): string;
}
