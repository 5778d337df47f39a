import { expect, test } from "vitest";
import { SEED_PRODUCTS } from "../../tools/dev/seed-data.ts";
import { drawPicture, findDrawing } from "./pictures/draw.ts";

const press = { sku: "COF-PRESS-800", name: "French press, 0.8 l", category: "coffee-gear" };

test("each of the 10,000 products of the demo is a thing that we can draw", () => {
  const strange = SEED_PRODUCTS.filter(({ name, category }) => findDrawing(name, category) === undefined);
  expect(strange.map(({ name }) => name)).toEqual([]);
});

test("the same product is always drawn the same; the same thing under another SKU in other colours", () => {
  const picture = drawPicture(press);
  expect(drawPicture({ ...press })).toBe(picture);
  const others = new Set(Array.from({ length: 20 }, (_, index) => drawPicture({ ...press, sku: `W-${index}` })));
  expect(others.size).toBeGreaterThan(5);
});

test.each([
  ["Espresso Nero, 1 kg", "coffee-beans", "French press, 0.8 l", "coffee-gear"],
  ["Brass mint tea, 100 g", "tea", "Brass night light, small", "lighting"],
  ["Oak pencil case", "stationery", "Oak picture frame", "home"],
])("%s (%s) is not drawn as %s (%s)", (name, category, other, otherCategory) => {
  expect(findDrawing(name, category)).not.toBe(findDrawing(other, otherCategory));
});

test("nothing of a product's text is in its picture", () => {
  const hostile = drawPicture({ sku: `"><script>`, name: `</svg><script>alert(1)</script>`, category: "<x>" });
  expect(hostile).toMatch(/^<svg [^>]+>.*<\/svg>$/s);
  expect(hostile).not.toMatch(/script|alert|undefined|NaN/);
});

test("a picture is a few kilobytes at most", () => {
  const sizes = SEED_PRODUCTS.slice(0, 500).map((product) => drawPicture(product).length);
  expect(Math.max(...sizes)).toBeLessThan(8_192);
});
