import { hash } from "node:crypto";
import type { Pages } from "@weft/mesh/server";
import { drawPicture } from "./pictures/draw.ts";

export interface PictureDeps {
  /** Undefined if there is no such product. */
  findProduct(
    sku: string,
  ): Promise<{ readonly sku: string; readonly name: string; readonly category: string } | undefined>;
}

/** Where the picture of a product is served. */
export function picturePath(sku: string): string {
  return `/pictures/${encodeURIComponent(sku)}.svg`;
}

/** GET /pictures/<sku>.svg. While the product cannot be looked up there is a plain picture in its place, for once. */
export function createPicturePages({ findProduct }: PictureDeps): Pages {
  return async ({ path }) => {
    const sku = /^\/pictures\/([A-Za-z0-9._-]{1,64})\.svg$/.exec(path)?.[1];
    if (sku === undefined) return undefined;
    const product = await findProduct(sku).catch(() => "unknown" as const);
    if (product === undefined) return undefined;
    if (product === "unknown")
      return picture(drawPicture({ sku, name: "", category: "" }), { "cache-control": "no-store" });
    const body = drawPicture(product);
    // A day, not for ever: a product that is called otherwise is drawn otherwise.
    const cacheControl = "public, max-age=86400, stale-while-revalidate=604800";
    return picture(body, {
      "cache-control": cacheControl,
      etag: `"${hash("sha256", body, "base64url").slice(0, 22)}"`,
    });
  };
}

function picture(body: string, headers: Readonly<Record<string, string>>) {
  return {
    status: 200,
    headers: {
      ...headers,
      "content-type": "image/svg+xml",
      "content-security-policy": "default-src 'none'; sandbox",
      "x-content-type-options": "nosniff",
    },
    body,
  };
}
