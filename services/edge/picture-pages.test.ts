import { expect, test } from "vitest";
import { createPicturePages, picturePath } from "./picture-pages.ts";

const cup = { sku: "CUP-1.0", name: "Cup, white", category: "tableware" };
const pages = createPicturePages({
  async findProduct(sku) {
    if (sku === "AWAY") throw new Error("away");
    return sku === cup.sku ? cup : undefined;
  },
});
const ask = async (path: string) => await pages({ path, query: new URLSearchParams(), headers: {} });

test("a product's picture may be kept, and does nothing but look nice", async () => {
  const picture = await ask(picturePath(cup.sku));
  expect(picture).toMatchObject({
    status: 200,
    headers: {
      "content-type": "image/svg+xml",
      "cache-control": expect.stringMatching(/^public, max-age=86400/),
      "content-security-policy": "default-src 'none'; sandbox",
      etag: expect.stringMatching(/^".{22}"$/),
    },
  });
  expect(await ask(picturePath(cup.sku))).toEqual(picture);
});

test("while the catalog is away there is a plain one that is not kept", async () => {
  const picture = await ask("/pictures/AWAY.svg");
  expect(picture?.headers).toMatchObject({ "cache-control": "no-store" });
  expect(picture?.headers).not.toHaveProperty("etag");
});

test.each(["/pictures/NONE.svg", "/pictures/.png", "/pictures/a%20b.svg", `/pictures/${"x".repeat(65)}.svg`, "/"])(
  "%s is no picture",
  async (path) => {
    expect(await ask(path)).toBeUndefined();
  },
);
