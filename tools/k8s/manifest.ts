import { parseAllDocuments } from "yaml";

/** A Kubernetes object, as far as every one has the same shape. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** Where something is in an object: ["spec", "replicas"]. Items of a list are numbers. */
export type FieldPath = readonly (string | number)[];

/** What is wrong with an object. */
export interface Problem {
  readonly manifest: Manifest;
  readonly path: FieldPath;
  readonly text: string;
}

/** Parses rendered objects. @throws Error if one is none */
export function parseManifests(text: string): Manifest[] {
  // Kubernetes reads YAML 1.1, where 0440 is octal and `on` is true.
  return parseAllDocuments(text, { version: "1.1" }).map((document) => {
    const [error] = document.errors;
    if (error) throw new Error(`not YAML: ${error.message}`);
    const value: unknown = document.toJS();
    if (!isManifest(value)) throw new Error(`not a Kubernetes object: ${JSON.stringify(value)?.slice(0, 200)}`);
    return value;
  });
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== "object" || value === null) return false;
  if (!("apiVersion" in value && "kind" in value && "metadata" in value)) return false;
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return false;
  return typeof metadata === "object" && metadata !== null && "name" in metadata && typeof metadata.name === "string";
}

/** What is at a path of an object, or undefined. */
export function valueAt(manifest: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    manifest,
  );
}

/** A path as people write it, items of a list by their name where they have one: spec.containers[service].image */
export function formatPath(manifest: unknown, path: FieldPath): string {
  return path.reduce<string>((text, key, index) => {
    if (typeof key === "string") return text === "" ? key : `${text}.${key}`;
    return `${text}[${itemName(valueAt(manifest, path.slice(0, index + 1))) ?? key}]`;
  }, "");
}

/** The name of an item of a list, by which Kubernetes tells such items apart. */
export function itemName(item: unknown): string | undefined {
  const name = valueAt(item, ["name"]);
  return typeof name === "string" ? name : undefined;
}
