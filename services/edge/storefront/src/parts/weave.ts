import { s } from "../dom.ts";

const THREAD = 19;
const GAP = 3;
const PITCH = THREAD + GAP;

/** Twill: which warp threads a weft thread passes over; it moves on by one each row. */
const OVER = [true, true, false, false];
/** After so many warp threads the twill turns back: herringbone. */
const TURN = 8;

/** A woven cloth of so many threads, drawn over and under. Decoration only. */
export function weave(columns: number, rows: number): SVGSVGElement {
  const width = columns * PITCH;
  const height = rows * PITCH;
  const warp = range(columns).map((column) =>
    s("rect", { class: `warp warp-${column % 7}`, x: column * PITCH + GAP / 2, y: 0, width: THREAD, height }),
  );
  const weft = range(rows).flatMap((row) =>
    range(columns).flatMap((column) => {
      if (!OVER[(turned(column) + row) % OVER.length]) return [];
      const x = column * PITCH - GAP / 2;
      const y = row * PITCH + GAP / 2;
      return [s("rect", { class: `weft weft-${row % 5}`, x, y, width: PITCH + GAP, height: THREAD })];
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
  const at = column % (2 * TURN);
  return at < TURN ? at : 2 * TURN - 1 - at;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
