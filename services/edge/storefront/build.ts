import { createHash } from "node:crypto";
import { glob, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { build, type Plugin } from "vite";

const root = fileURLToPath(new URL(".", import.meta.url));
const repository = fileURLToPath(new URL("../../../", import.meta.url));
const dist = join(root, "dist");

/** What the page is made of. The lockfile names the versions of all that comes from elsewhere. */
const sources = [
  "services/edge/storefront/{build.ts,index.html}",
  "services/edge/storefront/src/**/*.{ts,css,svg}",
  "gen/shop/{api,type}/**/*.ts",
  "mesh/gen/**/*.ts",
  "package-lock.json",
];

/**
 * Makes `dist/`: index.html, and assets whose names carry the hash of what is in them. Answers whether there was anything to do:
 * a dist/ that was made of the same sources is left alone. Several may build at once; each puts a whole folder in place.
 */
export async function buildStorefront(): Promise<boolean> {
  const hash = await hashOf(sources);
  if ((await builtFrom()) === hash) return false;
  const work = await mkdtemp(join(root, "dist.new-"));
  try {
    const made = join(work, "dist");
    await bundle(made);
    await writeFile(join(made, ".sources"), hash);
    await putInPlace(made, join(work, "old"), hash);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return true;
}

async function bundle(outDir: string): Promise<void> {
  await build({
    ...{ root, configFile: false, logLevel: "error", publicDir: false },
    plugins: [withoutRules()],
    build: {
      ...{ outDir, emptyOutDir: true, target: "es2024", cssTarget: "chrome130" },
      // The edge allows nothing inline: not a script, not a style, not a data: URL.
      ...{ assetsInlineLimit: 0, modulePreload: { polyfill: false } },
      rolldownOptions: { output: { comments: false } },
    },
  });
}

/**
 * The contract's field rules are checked by the edge. Their own descriptor would be a third of the page's script, so a file of the same
 * name with nothing in it stands in for it; the rules then stay bytes that nobody reads.
 */
function withoutRules(): Plugin {
  const file = create(FileDescriptorProtoSchema, { name: "buf/validate/validate.proto", package: "buf.validate" });
  const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, file)).toString("base64");
  return {
    name: "without-rules",
    load: (id) =>
      id.endsWith("/mesh/gen/buf/validate/validate_pb.ts")
        ? `import { fileDesc } from "@bufbuild/protobuf/codegenv2";
           export const file_buf_validate_validate = /*@__PURE__*/ fileDesc("${bytes}");`
        : undefined,
  };
}

async function putInPlace(made: string, old: string, hash: string): Promise<void> {
  await rename(dist, old).catch(ignoreMissing);
  try {
    await rename(made, dist);
  } catch (error) {
    // Another build was quicker; of the same sources it is as good as ours.
    if ((await builtFrom()) !== hash) throw error;
  }
}

async function builtFrom(): Promise<string | undefined> {
  return await readFile(join(dist, ".sources"), "utf8").catch(ignoreMissing);
}

async function hashOf(patterns: readonly string[]): Promise<string> {
  const paths: string[] = [];
  for await (const path of glob(patterns, { cwd: repository })) paths.push(path);
  const hash = createHash("sha256");
  for (const path of paths.filter((each) => !each.endsWith(".test.ts")).sort()) {
    hash.update(`${path}\0`).update(await readFile(join(repository, path)));
  }
  return hash.digest("hex");
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

if (import.meta.main) {
  const built = await buildStorefront();
  process.stdout.write(built ? "the storefront is built\n" : "the storefront is up to date\n");
}
