import { glob, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { buildStorefront } from "./build.ts";

/** What a visitor's phone has to fetch and compile before it shows anything. */
const scriptBytesMax = 60 * 1024;

const dist = fileURLToPath(new URL("dist/", import.meta.url));
const read = (path: string) => readFile(`${dist}${path}`, "utf8");
async function assets(pattern: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const path of glob(pattern, { cwd: dist })) paths.push(path);
  return paths;
}

beforeAll(async () => {
  await buildStorefront();
});

test("a dist/ of the same sources is left alone, also when several ask at once", async () => {
  expect(await Promise.all([buildStorefront(), buildStorefront()])).toEqual([false, false]);
});

test("nothing is inline, and nothing comes from elsewhere", async () => {
  const html = await read("index.html");
  expect(html).not.toMatch(/<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|data:/);
  for (const path of await assets("assets/*.css"))
    expect(await read(path)).not.toMatch(/data:|https?:\/\/|url\((?!\/assets)/);
  expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
});

test("every asset carries a hash in its name, and the page names what is there", async () => {
  const all = await assets("assets/*");
  expect(all.filter((path) => !/-[\w-]{8}\.(js|css|svg|woff2)$/.test(path))).toEqual([]);
  const named = [...(await read("index.html")).matchAll(/"\/(assets\/[^"]+)"/g)].map(([, path]) => path);
  expect(all).toEqual(expect.arrayContaining(named));
});

test("the script stays small", async () => {
  const scripts = await Promise.all((await assets("assets/*.js")).map(read));
  expect(gzipSync(scripts.join("")).length).toBeLessThan(scriptBytesMax);
});
