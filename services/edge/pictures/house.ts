import type { Colours } from "./colours.ts";
import type { Drawing } from "./drawing.ts";
import { box, disc, form, line, oval, repeated, turned } from "./strokes.ts";

const glow = "#fbe9b7";

/** Cloth, folded, in three layers. */
function folded({ main, shade, light, second }: Colours): string {
  return (
    box(92, 250, 216, 65, shade, 22) +
    box(92, 196, 216, 62, main, 22) +
    box(92, 142, 216, 62, light, 22) +
    repeated(3, (index) => box(124 + index * 22, 142, 8, 62, second)) +
    repeated(3, (index) => box(124 + index * 22, 196, 8, 62, second))
  );
}

/** Linens, lamps and furniture. */
export const house: readonly Drawing[] = [
  {
    words: /cushion|pillowcase/,
    stands: false,
    draw: ({ main, shade, second }) =>
      turned(
        10,
        form("M84 92c70 18 162 18 232 0-18 72-18 152 0 224-70-18-162-18-232 0 18-72 18-152 0-224z", shade),
        form("M84 86c70 18 162 18 232 0-18 72-18 152 0 224-70-18-162-18-232 0 18-72 18-152 0-224z", main),
        repeated(3, (index) => line(`M${150 + index * 50} 110v176`, second, 5)),
      ),
  },
  {
    words: /apron/,
    stands: false,
    draw: ({ main, shade, second }) =>
      line("M160 112c0-70 80-70 80 0M118 200H70M282 200h48", second, 8) +
      form("M156 108h88c0 50 14 70 44 84v134H112V192c30-14 44-34 44-84z", main) +
      box(152, 226, 96, 64, shade, 6),
  },
  {
    words: /curtain/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      box(64, 78, 272, 10, second, 5) +
      repeated(6, (index) =>
        form(`M${88 + index * 38} 88h38v${226 + (index % 2) * 10}h-38z`, [main, shade, light][index % 3] ?? main),
      ),
  },
  {
    words: /scarf/,
    stands: false,
    draw: ({ main, shade, second, light }) =>
      turned(
        12,
        box(142, 60, 116, 270, main, 4),
        repeated(9, (index) => box(142, 78 + index * 28, 116, 11, [second, light, shade][index % 3] ?? second)),
        repeated(9, (index) => line(`M${148 + index * 13} 330v20`, shade, 4)),
      ),
  },
  {
    words: /\brug\b/,
    stands: false,
    draw: ({ main, shade, second, light }) =>
      turned(
        -8,
        box(96, 74, 208, 252, main, 4),
        repeated(6, (index) => box(96, 92 + index * 38, 208, 14, [second, shade, light][index % 3] ?? second)),
        repeated(12, (index) => line(`M${102 + index * 18} 326v16M${102 + index * 18} 74v-16`, shade, 3)),
      ),
  },
  { words: /towel|napkin|cloth|duvet|bedspread|blanket/, ...{ stands: true, foot: 230 }, draw: folded },
  {
    words: /pendant|ceiling lamp/,
    stands: false,
    draw: ({ main, shade, second }) =>
      line("M200 0v128", second, 5) +
      oval(200, 246, 168, 60, glow) +
      form("M172 128h56c0 50 62 62 66 118H106c4-56 66-68 66-118z", main) +
      form("M212 128h16c0 50 62 62 66 118h-62c0-50-14-70-20-118z", shade),
  },
  {
    words: /floor lamp/,
    ...{ stands: true, foot: 100 },
    draw: ({ main, shade, second }) =>
      line("M200 300V130", second, 8) +
      form("M162 62h76l26 82H136z", main) +
      form("M214 62h24l26 82h-42z", shade) +
      box(156, 303, 88, 12, second, 6) +
      oval(200, 144, 128, 16, glow),
  },
  {
    words: /desk lamp|reading lamp|wall lamp/,
    ...{ stands: true, foot: 130 },
    draw: ({ main, shade, second, light }) =>
      line("M160 304V214L236 130", second, 9) +
      disc(160, 214, 10, shade) +
      form("M214 92l64 56-74 44c-18-30-18-70 10-100z", main) +
      form("M250 124l28 24-74 44c-6-10-10-20-11-31z", shade) +
      oval(240, 172, 84, 20, glow) +
      form("M100 315c0-22 120-22 120 0z", light),
  },
  {
    words: /lantern/,
    ...{ stands: true, foot: 120 },
    draw: ({ main, shade, second }) =>
      line("M156 128c0-60 88-60 88 0", second, 7) +
      box(146, 126, 108, 24, main, 8) +
      box(154, 150, 92, 130, glow, 6) +
      line("M162 150v130M238 150v130", main, 8) +
      box(140, 278, 120, 37, shade, 8) +
      form("M200 192c26 34 20 66 0 66s-26-32 0-66z", "#e99b45"),
  },
  {
    words: /lamp|night light|light/,
    ...{ stands: true, foot: 120 },
    draw: ({ main, shade, light, second }) =>
      form("M166 232c-34 40-20 83 34 83s68-43 34-83z", second) +
      box(192, 190, 16, 46, shade, 4) +
      form("M154 92h92l38 106H116z", main) +
      form("M214 92h32l38 106h-56z", shade) +
      oval(200, 198, 168, 20, glow) +
      line("M158 100l-26 86", light, 6),
  },
  {
    words: /candle/,
    ...{ stands: true, foot: 170 },
    draw: ({ second }) =>
      repeated(
        3,
        (index) =>
          box(128 + index * 52, 150 + index * 26, 38, 165 - index * 26, index === 1 ? "#dcb65c" : "#e8c877", 6) +
          form(`M${147 + index * 52} ${104 + index * 26}c14 20 10 36 0 36s-14-16 0-36z`, "#f0a244"),
      ) + line("M147 140v12M199 166v12M251 192v12", second, 4),
  },
  {
    words: /vase/,
    ...{ stands: true, foot: 110 },
    draw: ({ main, shade, light, second }) =>
      line("M196 150C180 90 150 70 140 40M202 150c0-60 20-90 44-112M200 150c-4-50 0-80 2-120", "#6d7a4f", 5) +
      repeated(3, (index) => disc(138 + index * 55, 40 - (index % 2) * 12, 13, second)) +
      form("M170 150h60c0 40 44 60 44 108 0 36-22 57-42 57h-64c-20 0-42-21-42-57 0-48 44-68 44-108z", main) +
      form("M212 150h18c0 40 44 60 44 108 0 36-22 57-42 57h-18c26-50 22-110-2-165z", shade) +
      oval(200, 150, 60, 12, light),
  },
  {
    words: /clock/,
    stands: false,
    draw: ({ main, shade, second }) =>
      disc(200, 206, 126, shade) +
      disc(200, 200, 126, main) +
      disc(200, 200, 106, "#f4efe5") +
      repeated(12, (index) => `<g transform="rotate(${index * 30} 200 200)">${line("M200 108v14", shade, 5)}</g>`) +
      line("M200 200l-38-44", "#2f3136", 9) +
      line("M200 200l62-26", "#2f3136", 6) +
      disc(200, 200, 9, second),
  },
  {
    words: /mirror/,
    stands: false,
    draw: ({ main, shade }) =>
      oval(200, 206, 204, 268, shade) +
      oval(200, 200, 204, 268, main) +
      oval(200, 200, 174, 238, "#d5e2e6") +
      line("M150 200l70-84M164 250l90-108", "#f2f7f8", 10),
  },
  {
    words: /frame/,
    stands: false,
    draw: ({ main, shade, second }) =>
      box(96, 76, 208, 258, shade, 4) +
      box(96, 70, 208, 258, main, 4) +
      box(118, 92, 164, 214, "#f4efe5") +
      form("M140 280l46-70 30 40 24-30 22 60z", second) +
      disc(236, 150, 18, shade),
  },
  {
    words: /stool|side table/,
    ...{ stands: true, foot: 190 },
    draw: ({ main, shade, light }) =>
      line("M140 190l-26 118M260 190l26 118M178 190l-8 118M222 190l8 118", shade, 13) +
      line("M130 252h140", main, 9) +
      box(98, 160, 204, 34, main, 14) +
      box(98, 156, 204, 18, light, 9),
  },
  {
    words: /shelf/,
    stands: false,
    draw: ({ main, shade, second, light }) =>
      box(76, 220, 248, 22, main, 4) +
      box(76, 236, 248, 8, shade, 4) +
      box(112, 132, 30, 88, second, 3) +
      box(146, 118, 24, 102, light, 3) +
      box(174, 140, 34, 80, shade, 3) +
      form("M240 176h56c4 24-8 44-28 44s-32-20-28-44z", second) +
      line("M110 244v34M290 244v34", shade, 9),
  },
  {
    words: /coat rack/,
    stands: false,
    draw: ({ main, shade, second, light }) =>
      box(64, 150, 272, 44, shade, 10) +
      box(64, 144, 272, 44, main, 10) +
      box(64, 144, 272, 12, light, 6) +
      repeated(4, (index) => line(`M${106 + index * 62} 172v38c0 20 26 20 26 0`, second, 10)),
  },
  {
    words: /basket/,
    ...{ stands: true, foot: 190 },
    draw: ({ main, shade, light }) =>
      line("M130 186c0-120 140-120 140 0", shade, 12) +
      form("M104 182h192l-22 133H126z", main) +
      form("M232 182h64l-22 133h-58z", shade) +
      repeated(4, (index) => line(`M${112 + index * 5} ${206 + index * 28}h${176 - index * 10}`, light, 5)) +
      box(98, 174, 204, 16, main, 8),
  },
  {
    words: /umbrella stand/,
    ...{ stands: true, foot: 150 },
    draw: ({ main, shade, light, second }) =>
      line("M226 190L250 80c4-22 34-18 30 4", second, 9) +
      form("M132 176h136l-18 139H150z", main) +
      form("M220 176h48l-18 139h-36z", shade) +
      repeated(4, (index) => line(`M${138 + index * 4} ${204 + index * 28}h${124 - index * 8}`, light, 4)) +
      oval(200, 176, 136, 20, shade),
  },
  {
    words: /tray/,
    stands: false,
    draw: ({ main, shade, light }) =>
      box(74, 120, 252, 172, shade, 26) +
      box(74, 114, 252, 172, main, 26) +
      box(92, 132, 216, 136, light, 16) +
      line("M176 123h48M176 277h48", shade, 8),
  },
  {
    words: /\bbox\b/,
    ...{ stands: true, foot: 210 },
    draw: ({ main, shade, light, second }) =>
      box(100, 200, 200, 115, main, 6) +
      box(226, 200, 74, 115, shade, 6) +
      box(92, 168, 216, 40, light, 6) +
      box(230, 168, 78, 40, main, 6) +
      box(184, 196, 32, 26, second, 4),
  },
];
