import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import type { Pages } from "@weft/mesh/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadStaticFiles } from "./static-files.ts";

const script = `console.log("${"hello ".repeat(100)}");`;
let root: string;
let pages: Pages;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-static-"));
  await mkdir(join(root, "dist/assets"), { recursive: true });
  await writeFile(join(root, "secret.txt"), "secret");
  await writeFile(join(root, "dist/index.html"), "<!doctype html>");
  await writeFile(join(root, "dist/.sources"), "hash");
  await writeFile(join(root, "dist/assets/index-CM5hrWNj.js"), script);
  await writeFile(join(root, "dist/assets/sans-BbzFLZTg.woff2"), Buffer.from([1, 2, 3]));
  const loaded = await loadStaticFiles(pathToFileURL(join(root, "dist/")));
  if (loaded === undefined) throw new Error("nothing was loaded");
  pages = loaded;
});
afterAll(() => rm(root, { recursive: true, force: true }));

const ask = async (path: string, headers: Record<string, string> = {}) =>
  await pages({ path, query: new URLSearchParams(), headers });

test("index.html is asked for each time, and lets nothing run that is not ours", async () => {
  const index = await ask("/");
  expect(index?.headers).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    "content-security-policy": expect.stringMatching(/default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/),
    etag: expect.stringMatching(/^".{22}"$/),
  });
  expect(index?.headers["content-security-policy"]).not.toMatch(/unsafe|\*/);
});

test("assets are kept for ever", async () => {
  expect((await ask("/assets/index-CM5hrWNj.js"))?.headers).toMatchObject({
    "content-type": "text/javascript; charset=utf-8",
    "cache-control": "public, max-age=31536000, immutable",
    vary: "accept-encoding",
  });
  expect((await ask("/assets/sans-BbzFLZTg.woff2"))?.headers).toMatchObject({ "content-type": "font/woff2" });
});

test("text is compressed for who takes that, under another etag", async () => {
  const [plain, gzipped] = [
    await ask("/assets/index-CM5hrWNj.js", { "accept-encoding": "br, gzip;q=0" }),
    await ask("/assets/index-CM5hrWNj.js", { "accept-encoding": "gzip, deflate, br" }),
  ];
  expect(String(plain?.body)).toBe(script);
  expect(gzipped?.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(gzipped?.body ?? "").toString()).toBe(script);
  expect(gzipped?.headers.etag).not.toBe(plain?.headers.etag);
  expect((await ask("/assets/sans-BbzFLZTg.woff2", { "accept-encoding": "gzip" }))?.headers).not.toHaveProperty(
    "content-encoding",
  );
});

test("a browser that opens any page of the app gets the app; a missing file is missing", async () => {
  const html = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
  expect(await ask("/products/CUP.v2", html)).toBe(await ask("/"));
  for (const path of ["/assets/old-CM5hrWNj.js", "/pictures/NONE.svg", "/shop.api.v1.OrderService/Nothing"]) {
    expect(await ask(path, html)).toBeUndefined();
  }
  expect(await ask("/orders", { accept: "*/*" })).toBeUndefined();
});

test.each([
  "/../secret.txt",
  "/assets/../../secret.txt",
  "/%2e%2e/secret.txt",
  "/..%2fsecret.txt",
  "/assets\\..\\..\\secret.txt",
  "//etc/passwd",
  "/.sources",
  "/assets",
  "/index.html/",
])("%s leads nowhere", async (path) => {
  expect(await ask(path)).toBeUndefined();
});

test("a folder that is not there serves nothing", async () => {
  expect(await loadStaticFiles(pathToFileURL(join(root, "none/")))).toBeUndefined();
});
