import type { Drawing } from "./drawing.ts";
import { box, disc, form, line, oval, repeated, turned } from "./strokes.ts";

const glowBeam = "#f6e6b4";

/** Stationery, bags and what one takes outdoors. */
export const journeys: readonly Drawing[] = [
  {
    words: /notebook|sketchbook|address book/,
    stands: false,
    draw: ({ main, shade, second }) =>
      turned(
        -10,
        box(112, 82, 188, 250, "#efe9dc", 8),
        box(104, 74, 188, 250, shade, 8),
        box(104, 70, 188, 250, main, 8),
        box(104, 70, 26, 250, shade, 8),
        box(262, 70, 10, 250, second),
        box(156, 116, 84, 44, "#f4efe5", 3),
      ),
  },
  {
    words: /ruler/,
    stands: false,
    draw: ({ main, shade, light }) =>
      turned(
        -32,
        box(46, 166, 308, 68, shade, 4),
        box(46, 160, 308, 68, main, 4),
        box(46, 160, 308, 10, light, 4),
        repeated(19, (index) => line(`M${64 + index * 15} 228v-${index % 5 === 0 ? 26 : 14}`, shade, 3)),
      ),
  },
  {
    words: /picnic rug/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      turned(
        -8,
        box(82, 82, 236, 236, main, 6),
        repeated(4, (index) => box(106 + index * 56, 82, 18, 236, index % 2 === 0 ? light : second)),
        repeated(4, (index) => box(82, 106 + index * 56, 236, 18, index % 2 === 0 ? shade : second)),
      ),
  },
  {
    words: /pocket knife/,
    stands: false,
    draw: ({ main, shade, second }) =>
      turned(
        -35,
        form("M196 178L62 186c-16 4-16 22 0 26l134 14z", "#c9cdcf"),
        form("M196 206L52 204c4 6 6 8 10 8l134 14z", "#e4e7e8"),
        box(184, 172, 160, 62, main, 28),
        box(184, 204, 160, 30, shade, 15),
        disc(208, 203, 8, second),
        disc(318, 203, 8, second),
      ),
  },
  {
    words: /pencil/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      turned(
        -24,
        repeated(
          4,
          (index) =>
            box(84, 116 + index * 44, 200, 28, [main, second, shade, light][index] ?? main, 3) +
            form(`M284 ${116 + index * 44}l40 14-40 14z`, "#e3c79b") +
            form(`M310 ${125 + index * 44}l14 5-14 5z`, "#2f3136"),
        ),
      ),
  },
  {
    words: /pen\b/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      turned(
        -40,
        box(58, 184, 150, 36, main, 18),
        box(196, 184, 96, 36, shade, 8),
        box(190, 182, 12, 40, second, 3),
        form("M292 188l58 14-58 14z", second),
        line("M306 202h40", shade, 3),
        line("M80 180h92", light, 7),
      ),
  },
  {
    words: /\bink\b/,
    ...{ stands: true, foot: 150 },
    draw: ({ main, shade, light, second }) =>
      box(160, 134, 80, 46, second, 6) +
      box(122, 176, 156, 139, "#dbe4e6", 20) +
      box(122, 216, 156, 99, main, 20) +
      box(226, 216, 52, 99, shade, 20) +
      box(148, 232, 80, 52, "#f4efe5", 4) +
      box(136, 188, 10, 110, light, 5),
  },
  {
    words: /calendar/,
    stands: false,
    draw: ({ main, shade, second }) =>
      box(98, 76, 204, 254, shade, 4) +
      box(98, 70, 204, 254, "#f6f1e7", 4) +
      box(98, 70, 204, 72, main, 4) +
      repeated(20, (index) =>
        box(120 + (index % 5) * 34, 164 + Math.floor(index / 5) * 36, 22, 22, index === 8 ? second : "#e2dacb", 3),
      ),
  },
  {
    words: /letter paper|desk pad/,
    stands: false,
    draw: ({ main, shade, second }) =>
      turned(
        -7,
        box(88, 96, 216, 216, shade, 4),
        box(94, 90, 216, 216, "#f6f1e7", 4),
        repeated(5, (index) => line(`M124 ${136 + index * 32}h${150 - (index % 3) * 34}`, "#d8cfbe", 4)),
      ) + turned(9, form("M150 236h170v104H150z", main), line("M150 236l85 60 85-60", second, 5)),
  },
  {
    words: /bottle/,
    ...{ stands: true, foot: 100 },
    draw: ({ main, shade, light, second }) =>
      box(168, 66, 64, 40, second, 8) +
      form("M174 106h52c0 30 30 30 30 70v121c0 10-8 18-18 18h-76c-10 0-18-8-18-18V176c0-40 30-40 30-70z", main) +
      form("M212 106h14c0 30 30 30 30 70v121c0 10-8 18-18 18h-26z", shade) +
      box(158, 180, 12, 110, light, 6),
  },
  {
    words: /tarp|tent/,
    ...{ stands: true, foot: 290 },
    draw: ({ main, shade, light, second }) =>
      line("M200 110v205", second, 7) +
      form("M200 112L56 315h94z", main) +
      form("M200 112l144 203h-94z", shade) +
      form("M200 112l-50 203h100z", "#3a342c") +
      line("M200 112L56 315", light, 4),
  },
  {
    words: /hammock/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      repeated(5, (index) =>
        line(`M40 90L${84 + index * 10} ${172 + index * 3}M360 90L${316 - index * 10} ${172 + index * 3}`, second, 3),
      ) +
      form("M76 164c60 90 188 90 248 0-14 110-72 162-124 162S90 274 76 164z", main) +
      form("M324 164c-14 110-72 162-124 162-14 0-28-4-42-11 84 0 136-56 166-151z", shade) +
      line("M92 196c60 70 156 70 216 0M106 230c50 52 138 52 188 0", light, 5),
  },
  {
    words: /stove/,
    ...{ stands: true, foot: 170 },
    draw: ({ main, shade, light }) =>
      form("M200 92c52 56 40 104 0 104s-52-48 0-104z", "#e88b3c") +
      form("M200 136c22 28 18 56 0 56s-22-28 0-56z", "#f7d489") +
      box(132, 196, 136, 119, main, 12) +
      box(214, 196, 54, 119, shade, 12) +
      box(120, 190, 160, 22, light, 8) +
      repeated(4, (index) => disc(158 + index * 28, 250, 7, shade)),
  },
  {
    words: /torch/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      line("M92 190c0-120 216-120 216 0s-216 120-216 0z", second, 22) +
      box(142, 206, 116, 92, main, 24) +
      box(212, 206, 46, 92, shade, 23) +
      disc(200, 252, 36, light) +
      disc(200, 252, 25, glowBeam),
  },
  {
    words: /sleeping bag/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      form("M128 110c0-70 144-70 144 0l20 150c6 60-190 60-184 0z", main) +
      form("M226 66c28 6 46 22 46 44l20 150c4 36-60 50-110 44 60-40 74-140 44-238z", shade) +
      oval(200, 112, 92, 62, second) +
      repeated(3, (index) => line(`M${124 - index * 6} ${178 + index * 40}h${152 + index * 12}`, light, 4)),
  },
  {
    words: /chair/,
    ...{ stands: true, foot: 210 },
    draw: ({ main, shade, second }) =>
      line("M118 110l132 205M282 110L150 315M104 232h192", second, 10) +
      form("M112 104h176l-16 116H128z", main) +
      form("M128 220h144l22 28H106z", shade),
  },
  {
    words: /cool bag/,
    ...{ stands: true, foot: 210 },
    draw: ({ main, shade, light, second }) =>
      line("M150 186c0-80 100-80 100 0", second, 12) +
      box(98, 180, 204, 135, main, 18) +
      box(226, 180, 76, 135, shade, 18) +
      box(90, 168, 220, 36, light, 14) +
      line("M150 204v111M250 204v111", second, 8),
  },
  {
    words: /rucksack|pannier/,
    ...{ stands: true, foot: 170 },
    draw: ({ main, shade, light, second }) =>
      line("M170 112c0-44 60-44 60 0", second, 10) +
      form("M118 170c0-80 164-80 164 0v121c0 14-10 24-24 24H142c-14 0-24-10-24-24z", main) +
      form("M226 112c34 6 56 26 56 58v121c0 14-10 24-24 24h-30c14-70 14-140-2-203z", shade) +
      form("M118 186c0-86 164-86 164 0v22H118z", light) +
      box(146, 230, 108, 62, shade, 10) +
      box(162, 190, 14, 60, second, 4) +
      box(224, 190, 14, 60, second, 4),
  },
  {
    words: /tool roll/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      turned(
        -20,
        box(70, 150, 260, 100, main, 50),
        box(70, 200, 260, 50, shade, 25),
        disc(106, 200, 40, light),
        disc(106, 200, 22, shade),
        box(196, 144, 26, 112, second, 6),
      ),
  },
  {
    words: /sleeve|purse|wash bag|belt bag/,
    stands: false,
    draw: ({ main, shade, second, light }) =>
      box(82, 124, 236, 176, shade, 24) +
      box(82, 116, 236, 176, main, 24) +
      form("M82 140c0-14 10-24 24-24h188c14 0 24 10 24 24v30c-70 50-166 50-236 0z", light) +
      disc(200, 206, 12, second),
  },
  {
    words: /messenger|weekender/,
    ...{ stands: true, foot: 240 },
    draw: ({ main, shade, light, second }) =>
      line("M138 196c0-100 124-100 124 0", second, 12) +
      box(76, 188, 248, 127, main, 26) +
      box(236, 188, 88, 127, shade, 26) +
      form("M76 214c0-14 12-26 26-26h196c14 0 26 12 26 26v26H76z", light) +
      box(130, 222, 18, 54, second, 4) +
      box(252, 222, 18, 54, second, 4),
  },
  {
    words: /tote|market bag|bag/,
    ...{ stands: true, foot: 190 },
    draw: ({ main, shade, second, light }) =>
      line("M152 178c0-110 96-110 96 0", second, 11) +
      form("M108 168h184l-14 147H122z", main) +
      form("M236 168h56l-14 147h-52z", shade) +
      line("M110 184h180", light, 5),
  },
];
