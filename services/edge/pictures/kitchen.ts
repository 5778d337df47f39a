import type { Drawing } from "./drawing.ts";
import { box, disc, form, line, oval, repeated, turned } from "./strokes.ts";

/** Coffee, tea, knives, pots and tableware. */
export const kitchen: readonly Drawing[] = [
  {
    words: /grinder/,
    ...{ stands: true, foot: 120 },
    draw: ({ main, shade, light, second }) =>
      line("M200 118V92H272", shade, 9) +
      disc(272, 88, 14, second) +
      form("M150 150c0-44 100-44 100 0z", light) +
      box(150, 148, 100, 40, shade, 4) +
      form("M156 186h88l8 129H148z", main) +
      form("M212 186h32l8 129h-40z", shade) +
      box(176, 238, 48, 44, second, 5) +
      disc(200, 260, 6, light),
  },
  {
    words: /dripper|brewing stand/,
    ...{ stands: true, foot: 130 },
    draw: ({ main, shade, light, second }) =>
      form("M120 128h160l-44 86h-72z", main) +
      form("M214 128h66l-44 86h-28z", shade) +
      box(114, 118, 172, 14, light, 7) +
      line("M278 146c34 0 34 46-16 44", shade, 10) +
      box(142, 212, 116, 14, second, 7) +
      form("M158 226h84l10 82c0 4-3 7-7 7h-90c-4 0-7-3-7-7z", light) +
      form("M152 270h96l4 38c0 4-3 7-7 7h-90c-4 0-7-3-7-7z", "#4a3023"),
  },
  {
    words: /\bpress\b/,
    ...{ stands: true, foot: 120 },
    draw: ({ main, shade, light, second }) =>
      line("M200 130V78", shade, 7) +
      disc(200, 74, 14, second) +
      line("M262 170c46 0 46 92 0 92", second, 14) +
      box(138, 142, 124, 173, main, 12) +
      box(206, 142, 56, 173, shade, 12) +
      box(150, 156, 14, 140, light, 7) +
      form("M130 146c0-26 140-26 140 0z", shade),
  },
  {
    words: /kettle|stovetop pot/,
    ...{ stands: true, foot: 150 },
    draw: ({ main, shade, light, second }) =>
      line("M150 270c-66 0-34-92-82-112", shade, 12) +
      line("M244 176c64-16 76 84 22 104", second, 14) +
      form("M152 178h96l26 126c1 6-3 11-9 11H135c-6 0-10-5-9-11z", main) +
      form("M214 178h34l26 126c1 6-3 11-9 11h-44z", shade) +
      form("M154 178c4-34 88-34 92 0z", light) +
      disc(200, 144, 10, second),
  },
  {
    words: /teapot/,
    ...{ stands: true, foot: 160 },
    draw: ({ main, shade, light, second }) =>
      line("M136 264c-50-6-42-62-78-70", shade, 20) +
      line("M262 206c58-14 60 78 4 76", shade, 14) +
      form("M110 246c0-90 180-90 180 0 0 46-30 69-50 69h-80c-20 0-50-23-50-69z", main) +
      form("M224 185c40 8 66 30 66 61 0 46-30 69-50 69h-26c30-40 34-92 10-130z", shade) +
      form("M152 190c10-24 86-24 96 0z", light) +
      disc(200, 166, 12, second),
  },
  {
    words: /jug|carafe|server/,
    ...{ stands: true, foot: 120 },
    draw: ({ main, shade, light }) =>
      line("M250 176c58-6 58 92 4 96", shade, 14) +
      form("M140 130h120l-14 38c26 40 24 110 4 147H150c-20-37-22-107 4-147z", main) +
      form("M214 130h46l-14 38c26 40 24 110 4 147h-34c26-60 20-120-2-185z", shade) +
      form("M140 130l-18-10h130l8 10z", light),
  },
  {
    words: /tamper/,
    ...{ stands: true, foot: 110 },
    draw: ({ main, shade, light, second }) =>
      form("M170 150c0-60 60-60 60 0 0 40-14 50-14 110h-32c0-60-14-70-14-110z", second) +
      box(144, 256, 112, 59, main, 6) +
      box(206, 256, 50, 59, shade, 6) +
      box(144, 256, 112, 10, light, 5),
  },
  {
    words: /scale/,
    ...{ stands: true, foot: 210 },
    draw: ({ main, shade, light, second }) =>
      box(98, 268, 204, 47, main, 10) +
      box(90, 252, 220, 22, light, 8) +
      box(160, 284, 80, 20, "#26313a", 4) +
      disc(270, 294, 6, second) +
      disc(130, 294, 6, shade) +
      form("M160 190h80l-8 62h-64z", second) +
      oval(200, 190, 80, 16, "#4a3023"),
  },
  {
    words: /cleaver/,
    stands: false,
    draw: ({ main, shade }) =>
      turned(
        -30,
        box(58, 140, 176, 108, "#c9cdcf", 8),
        box(58, 224, 176, 24, "#e4e7e8", 8),
        disc(82, 164, 8, "#9da2a5"),
        box(234, 160, 14, 40, shade, 3),
        box(246, 158, 104, 44, main, 18),
      ),
  },
  {
    words: /knife|santoku|cleaver/,
    stands: false,
    draw: ({ main, shade, second }) =>
      turned(
        -38,
        form("M52 186h170v44c-84 6-140-8-170-44z", "#c9cdcf"),
        form("M52 186h170v14H66z", "#e4e7e8"),
        box(222, 182, 16, 40, shade, 3),
        form("M238 182h92c20 0 22 42 2 44-30-6-60-6-94-4z", main.startsWith("#a9") ? second : main),
        repeated(3, (index) => disc(256 + index * 28, 203, 4.5, "#d9d3c5")),
      ),
  },
  {
    words: /frying pan|sauté|wok|griddle|\bpan\b/,
    stands: false,
    draw: ({ main, shade, light, second }) =>
      turned(
        45,
        box(186, 270, 28, 116, second, 14),
        box(182, 262, 36, 30, shade, 6),
        disc(200, 176, 112, shade),
        disc(200, 172, 108, main),
        disc(200, 174, 90, shade),
        form("M126 140a84 84 0 0 1 60-48", "none") + line("M130 150a78 78 0 0 1 52-52", light, 6),
      ),
  },
  {
    words: /saucepan|milk pan/,
    ...{ stands: true, foot: 170 },
    draw: ({ main, shade, light, second }) =>
      box(270, 206, 104, 18, second, 9) +
      box(112, 190, 168, 125, main, 16) +
      box(214, 190, 66, 125, shade, 16) +
      box(104, 182, 184, 16, light, 8),
  },
  {
    words: /pot|casserole|steamer|roasting tin|cooking set/,
    ...{ stands: true, foot: 200 },
    draw: ({ main, shade, light, second }) =>
      line("M104 226H72v26h32M296 226h32v26h-32", second, 12) +
      box(100, 196, 200, 119, main, 20) +
      box(222, 196, 78, 119, shade, 20) +
      form("M96 196c6-44 202-44 208 0z", light) +
      box(90, 190, 220, 14, shade, 7) +
      box(182, 138, 36, 18, second, 9),
  },
  {
    words: /plate|platter/,
    stands: false,
    draw: ({ main, shade, light }) =>
      disc(200, 200, 132, shade) + disc(200, 196, 132, main) + disc(200, 198, 92, shade) + disc(200, 200, 90, light),
  },
  {
    words: /bowl/,
    ...{ stands: true, foot: 130 },
    draw: ({ main, shade, light }) =>
      form("M86 206h228c0 66-50 104-84 104h-60c-34 0-84-38-84-104z", main) +
      form("M232 206h82c0 66-50 104-84 104h-22c30-30 30-70 24-104z", shade) +
      oval(200, 206, 228, 36, shade) +
      oval(200, 206, 204, 24, light) +
      box(164, 305, 72, 10, shade, 4),
  },
  {
    words: /tumbler/,
    ...{ stands: true, foot: 110 },
    draw: ({ main, shade, light }) =>
      form("M138 150h124l-16 154c-1 7-6 11-13 11h-66c-7 0-12-4-13-11z", main) +
      form("M224 150h38l-16 154c-1 7-6 11-13 11h-25c14-50 18-100 16-165z", shade) +
      oval(200, 150, 124, 22, light),
  },
  {
    words: /egg cup/,
    ...{ stands: true, foot: 90 },
    draw: ({ main, shade, light }) =>
      oval(200, 196, 78, 104, "#f3e6d3") +
      form("M148 206h104c0 40-30 56-38 62v28h34v19h-96v-19h34v-28c-8-6-38-22-38-62z", main) +
      form("M218 206h34c0 40-30 56-38 62v28h34v19h-36v-47c10-14 10-36 6-62z", shade) +
      box(148, 202, 104, 9, light, 4),
  },
  {
    words: /mug|tumbler|egg cup|salt cellar|\bcup\b/,
    ...{ stands: true, foot: 130 },
    draw: ({ main, shade, light, second }) =>
      line("M266 200c54-6 54 78 0 76", main, 16) +
      form("M134 172h132v112c0 18-14 31-32 31h-68c-18 0-32-13-32-31z", main) +
      form("M220 172h46v112c0 18-14 31-32 31h-26c12-40 14-90 12-143z", shade) +
      oval(200, 172, 132, 26, light) +
      oval(200, 174, 112, 17, second),
  },
  {
    words: /butter dish/,
    ...{ stands: true, foot: 220 },
    draw: ({ main, shade, light, second }) =>
      box(124, 214, 152, 84, main, 16) +
      box(216, 214, 60, 84, shade, 16) +
      box(86, 294, 228, 21, light, 10) +
      disc(200, 206, 13, second),
  },
  {
    words: /board/,
    stands: false,
    draw: ({ main, shade, light }) =>
      turned(
        -12,
        box(104, 84, 192, 240, shade, 18),
        box(104, 78, 192, 240, main, 18),
        repeated(4, (index) => line(`M${126 + index * 46} 96v204`, index % 2 === 0 ? light : shade, 3)),
        disc(200, 104, 11, shade),
      ),
  },
  {
    words: /whisk/,
    stands: false,
    draw: ({ shade, second }) =>
      turned(
        40,
        repeated(4, (index) =>
          line(`M200 220c${-70 + index * 16}-40 ${-50 + index * 14}-150 0-150s${50 - index * 14} 110 0 150`, shade, 4),
        ),
        box(188, 216, 24, 120, second, 12),
      ),
  },
  {
    words: /jars?\b/,
    ...{ stands: true, foot: 130 },
    draw: ({ second, shade }) =>
      box(136, 150, 128, 165, "#d7e2df", 18) +
      box(136, 214, 128, 101, second, 18) +
      box(150, 166, 12, 130, "#ffffff", 6) +
      box(130, 128, 140, 22, "#e9f0ee", 8) +
      line("M134 152h132", shade, 7),
  },
  {
    words: /tin\b|caddy|tea|rooibos|chai|oolong/,
    ...{ stands: true, foot: 140 },
    draw: ({ main, shade, light, second }) =>
      box(132, 148, 136, 167, main, 8) +
      box(222, 148, 46, 167, shade, 8) +
      box(126, 112, 148, 42, light, 8) +
      box(222, 112, 52, 42, main, 8) +
      box(148, 196, 74, 78, second, 4) +
      form("M185 262c-26-14-26-40 0-54 26 14 26 40 0 54z", main),
  },
  {
    words: /filters?\b.*(pieces)|paper filter/,
    ...{ stands: true, foot: 160 },
    draw: ({ shade }) =>
      box(126, 154, 148, 161, "#d9c7a5", 6) +
      box(222, 154, 52, 161, "#c7b38d", 6) +
      form("M150 184h100l-30 78h-40z", "#f3ebda") +
      line("M150 184h100", shade, 5),
  },
  {
    words: /roast|espresso|crema|decaf|omniroast|blend|microlot|coffee|filter/,
    ...{ stands: true, foot: 150 },
    draw: ({ main, shade, light, second }) =>
      form("M136 120h128l12 180c0 9-7 15-15 15H139c-8 0-15-6-15-15z", main) +
      form("M226 120h38l12 180c0 9-7 15-15 15h-43c14-60 18-130 8-195z", shade) +
      form("M136 120l8-28h112l8 28z", light) +
      box(144, 84, 112, 14, shade, 3) +
      box(150, 172, 84, 96, second, 4) +
      turned(0, oval(192, 220, 38, 54, main), line("M192 196c-10 16 10 32 0 48", second, 4)),
  },
];
