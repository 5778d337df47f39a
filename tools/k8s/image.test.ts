import { access, readFile } from "node:fs/promises";
import { join, matchesGlob, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { repositoryRoot } from "../check/check.ts";
import { runCommand } from "../check/testing.ts";

/** The files that the ten services load, from the repository's root: single.ts imports them all, and starts none. */
async function filesOfServices(): Promise<string[]> {
  const script = `
    import { registerHooks } from "node:module";
    registerHooks({
      resolve(specifier, context, next) {
        const found = next(specifier, context);
        console.log(found.url);
        return found;
      },
    });
    await import("./services/single.ts");
  `;
  const args = ["--input-type=module", "--eval", script];
  const { exitCode, output } = await runCommand(process.execPath, args, repositoryRoot);
  expect(exitCode, output).toBe(0);
  const urls = output.split("\n").filter((line) => line.startsWith("file:"));
  return [...new Set(urls)].map((url) => relative(repositoryRoot, fileURLToPath(url)));
}

let files: readonly string[];
let dockerfile: string;
let ignored: readonly string[];
beforeAll(async () => {
  files = await filesOfServices();
  dockerfile = await readFile(join(repositoryRoot, "k8s/Dockerfile"), "utf8");
  const lines = (await readFile(join(repositoryRoot, "k8s/Dockerfile.dockerignore"), "utf8")).split("\n");
  ignored = lines.filter((line) => line.startsWith("**/"));
});

/** What a part of the Dockerfile copies from the repository. */
function copiedBy(part: string): string[] {
  return [...part.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = ""]) => sources.split(" "));
}

test("what the Dockerfile copies exists, and is let through to it", async () => {
  const allowed =
    (await readFile(join(repositoryRoot, "k8s/Dockerfile.dockerignore"), "utf8")).match(/(?<=^!).+$/gm) ?? [];
  const copied = copiedBy(dockerfile);
  expect(copied).toContain("services");
  for (const path of copied) {
    await access(join(repositoryRoot, path));
    expect(allowed.filter((one) => path === one || path.startsWith(`${one}/`))).not.toEqual([]);
  }
});

test("the image holds every file of ours that a service loads", () => {
  const own = files.filter((file) => !file.startsWith("node_modules/"));
  const inImage = copiedBy(dockerfile.slice(dockerfile.lastIndexOf("\nFROM ")));
  const missing = own.filter(
    (file) =>
      !inImage.some((folder) => file.startsWith(`${folder}/`)) ||
      ignored.some((pattern) => matchesGlob(file, pattern) || matchesGlob(file, `${pattern}/**`)),
  );
  expect(own.length).toBeGreaterThan(100);
  expect(missing).toEqual([]);
});

test("no service loads a package that npm leaves out of the image", async () => {
  const { packages } = JSON.parse(await readFile(join(repositoryRoot, "package-lock.json"), "utf8"));
  const loaded = new Set(files.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []));
  expect(loaded).toContain("node_modules/@grpc/grpc-js");
  expect([...loaded].filter((path) => packages[path] === undefined || packages[path].dev)).toEqual([]);
});
