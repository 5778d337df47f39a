import { s } from "../dom.ts";

const thread = 19;
const gap = 3;
const pitch = thread + gap;

/** Twill: which warp threads a weft thread passes over; it moves on by one each row. */
const over = [true, true, false, false];
/** After so many warp threads the twill turns back: herringbone. */
const turn = 8;

/** A woven cloth of so many threads, drawn over and under. Decoration only. */
export function weave(columns: number, rows: number): SVGSVGElement {
  const width = columns * pitch;
  const height = rows * pitch;
  const warp = range(columns).map((column) =>
    s("rect", { class: `warp warp-${column % 7}`, x: column * pitch + gap / 2, y: 0, width: thread, height }),
  );
  const weft = range(rows).flatMap((row) =>
    range(columns).flatMap((column) => {
      if (!over[(turned(column) + row) % over.length]) return [];
      const x = column * pitch - gap / 2;
      const y = row * pitch + gap / 2;
      return [s("rect", { class: `weft weft-${row % 5}`, x, y, width: pitch + gap, height: thread })];
    }),
  );
  return s(
    "svg",
    { class: "weave", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true" },
    warp,
    weft,
  );
}

function turned(column: number): number {
  const at = column % (2 * turn);
  return at < turn ? at : 2 * turn - 1 - at;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
