import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBuf } from "./buf.ts";
import { type Findings, runCheck } from "./check.ts";

/** Each template and the folder that it fills. */
const generated = [
  { template: "buf.gen.yaml", folder: "gen" },
  { template: "mesh/buf.gen.yaml", folder: "mesh/gen" },
];

/** Finds generated files that are not what `make gen` would write now. */
export async function checkGenerated(root: string): Promise<Findings> {
  const directory = await mkdtemp(join(tmpdir(), "weft-gen-"));
  try {
    const problems: string[] = [];
    let fileCount = 0;
    for (const { template, folder } of generated) {
      const { exitCode, stderr } = await runBuf(root, ["generate", "--template", template, "-o", directory]);
      if (exitCode !== 0) throw new Error(`buf generate --template ${template} failed:\n${stderr}`);
      const expected = await readFiles(join(directory, folder));
      if (expected.size === 0) problems.push(`${template}: generates nothing, so nothing was checked`);
      const found = await readFiles(join(root, folder));
      problems.push(...differences(expected, found).map((line) => `${folder}/${line}: make gen, and commit it`));
      fileCount += expected.size;
    }
    return { problems, seen: `${fileCount} files` };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function differences(expected: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string[] {
  const stale = [...expected].flatMap(([path, text]) => {
    if (!found.has(path)) return [`${path}: is missing`];
    return found.get(path) === text ? [] : [`${path}: is stale`];
  });
  const leftOver = [...found.keys()].filter((path) => !expected.has(path));
  return [...stale, ...leftOver.map((path) => `${path}: has no proto any more`)];
}

/** Contents by path relative to the folder; empty if there is no such folder. */
async function readFiles(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(files.map((file) => readFile(file, "utf8")));
  return new Map(files.map((file, index) => [file.slice(folder.length + 1), contents[index] ?? ""]));
}

if (import.meta.main) await runCheck("gen-fresh", checkGenerated);
