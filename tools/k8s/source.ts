import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from "yaml";
import { type FieldPath, itemName, type Manifest, type Problem, valueAt } from "./manifest.ts";

/** Says where in the sources a problem of a rendered object is: "k8s/base/order/deployment.yaml:14". */
export type Locate = (problem: Problem) => string;

interface Source {
  readonly path: string;
  readonly document: Document;
  readonly lines: LineCounter;
}

/** A step of a path, items of a list by their name where they have one: patches hold only some of them. */
type Step = string | number | { readonly name: string };

/**
 * Reads the sources of a folder of manifests. What is rendered says no more where it comes from, so a field is looked for in the
 * files that can have said it: that of the object's own name first, then those that several objects of its kind share.
 *
 * @param root what the paths that are told start from
 * @param rendered all that was made of these sources
 */
export async function readSources(root: string, folder: string, rendered: readonly Manifest[]): Promise<Locate> {
  const sources: Source[] = [];
  const paths: string[] = [];
  for await (const path of glob(`${folder}/**/*.yaml`, { cwd: root })) paths.push(path);
  for (const path of paths.sort()) {
    const lines = new LineCounter();
    const text = await readFile(join(root, path), "utf8");
    for (const document of parseAllDocuments(text, { version: "1.1", lineCounter: lines })) {
      if ("toJS" in document) sources.push({ path, document, lines });
    }
  }
  return ({ manifest, path }) => {
    if (manifest.kind === "ConfigMap") return locateSetting(sources, manifest, path) ?? folder;
    const candidates = candidatesFor(sources, manifest, rendered);
    const steps = stepsOf(manifest, path);
    // What is missing stands nowhere: then where it would belong.
    for (let depth = steps.length; depth > 0; depth--) {
      for (const source of candidates) {
        const line = lineOf(source, steps.slice(0, depth));
        if (line !== undefined) return `${source.path}:${line}`;
      }
    }
    return candidates[0]?.path ?? folder;
  };
}

function candidatesFor(
  sources: readonly Source[],
  { kind, metadata }: Manifest,
  rendered: readonly Manifest[],
): Source[] {
  const sameKind = sources.filter(({ document }) => document.get("kind") === kind);
  const named = (name: unknown): Source[] =>
    sameKind.filter(({ document }) => document.getIn(["metadata", "name"]) === name);
  const ofOthers = rendered.filter((other) => other.kind === kind).flatMap((other) => named(other.metadata.name));
  return [...named(metadata.name), ...sameKind.filter((source) => !ofOthers.includes(source))];
}

function stepsOf(manifest: Manifest, path: FieldPath): Step[] {
  return path.map((key, index) => {
    const name = typeof key === "number" ? itemName(valueAt(manifest, path.slice(0, index + 1))) : undefined;
    return name === undefined ? key : { name };
  });
}

function lineOf({ document, lines }: Source, steps: readonly Step[]): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const step of steps) {
    const next = childOf(node, step);
    if (next === undefined) return undefined;
    node = next.value;
    offset = next.offset;
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

function childOf(node: unknown, step: Step): { value: unknown; offset: number | undefined } | undefined {
  if (isMap(node) && typeof step === "string") {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
    return pair && { value: pair.value, offset: startOf(pair.key) };
  }
  if (!isSeq(node) || typeof step === "string") return undefined;
  const item =
    typeof step === "number" ? node.items[step] : node.items.find((one) => isMap(one) && one.get("name") === step.name);
  return item === undefined ? undefined : { value: item, offset: startOf(item) };
}

/** ConfigMaps are made by kustomization.yaml from lines "NAME=value", and their names end in a hash. */
function locateSetting(sources: readonly Source[], { metadata }: Manifest, path: FieldPath): string | undefined {
  for (const { path: file, document, lines } of sources) {
    const generators = document.get("configMapGenerator");
    if (!isSeq(generators)) continue;
    for (const generator of generators.items) {
      if (!isMap(generator) || !metadata.name.startsWith(`${String(generator.get("name"))}-`)) continue;
      const literals = generator.get("literals");
      const literal = isSeq(literals) ? literals.items.find((item) => isLiteralOf(item, path.at(-1))) : undefined;
      const offset = startOf(literal ?? generator);
      return offset === undefined ? file : `${file}:${lines.linePos(offset).line}`;
    }
  }
  return undefined;
}

function isLiteralOf(item: unknown, setting: string | number | undefined): boolean {
  return isScalar(item) && String(item.value).startsWith(`${setting}=`);
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
