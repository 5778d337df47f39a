import { hash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { PageResponse, Pages } from "@weft/mesh/server";

const bytesMax = 16 * 1024 * 1024;
const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webp": "image/webp",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};
const compressible = /^(text\/|application\/json|image\/svg)/;

/** Everything a page of ours needs comes from here, and nothing inline. */
const contentSecurityPolicy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'"],
  ...["connect-src 'self'", "manifest-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"],
].join("; ");

interface StaticFile {
  readonly plain: PageResponse;
  readonly gzipped: PageResponse | undefined;
}

/**
 * Reads a built single-page app into memory and serves it: index.html at "/" and wherever a browser goes to that is no
 * file, what is under assets/ for ever, since its names carry a hash. Only what was read is served, so no path leads out.
 *
 * @returns undefined if the folder is not there
 * @throws Error if there is more than 16 MB
 */
export async function loadStaticFiles(directory: URL): Promise<Pages | undefined> {
  const root = fileURLToPath(directory);
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(ignoreMissing);
  if (entries === undefined) return undefined;
  const files = new Map<string, StaticFile>();
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile() || entry.name.startsWith(".")) continue;
    const file = join(entry.parentPath, entry.name);
    const content = await readFile(file);
    bytes += content.length;
    if (bytes > bytesMax) throw new Error(`${root} holds more than ${bytesMax} bytes`);
    const path = `/${relative(root, file).split(sep).join("/")}`;
    files.set(path, await toStaticFile(path, content));
  }
  const index = files.get("/index.html");
  return ({ path, headers }) => {
    const found = files.get(path) ?? (isVisit(path, headers.accept) ? index : undefined);
    const takesGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(headers["accept-encoding"]?.toString() ?? "");
    return takesGzip ? (found?.gzipped ?? found?.plain) : found?.plain;
  };
}

/** Somebody opens a page of the app, and does not ask for a part of it. */
function isVisit(path: string, accept = ""): boolean {
  return path === "/" || (accept.includes("text/html") && !/^\/(assets|pictures|shop\.[^/]*)\//.test(path));
}

async function toStaticFile(path: string, content: Buffer): Promise<StaticFile> {
  const contentType = contentTypes[extname(path)] ?? "application/octet-stream";
  const tag = hash("sha256", content, "base64url").slice(0, 22);
  const headers = {
    "content-type": contentType,
    "cache-control": path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
    "x-content-type-options": "nosniff",
    ...(path.endsWith(".html") && {
      "content-security-policy": contentSecurityPolicy,
      "cross-origin-opener-policy": "same-origin",
      "referrer-policy": "same-origin",
    }),
  };
  if (!compressible.test(contentType)) {
    return { plain: { status: 200, headers: { ...headers, etag: `"${tag}"` }, body: content }, gzipped: undefined };
  }
  const either = { ...headers, vary: "accept-encoding" };
  return {
    plain: { status: 200, headers: { ...either, etag: `"${tag}"` }, body: content },
    gzipped: {
      status: 200,
      headers: { ...either, etag: `"${tag}-gzip"`, "content-encoding": "gzip" },
      body: await promisify(gzip)(content, { level: 9 }),
    },
  };
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
