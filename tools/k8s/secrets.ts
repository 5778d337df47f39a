import type { Manifest, Problem } from "./manifest.ts";
import { containerOf, containerPath, podSpecOf, type Rendered } from "./rendered.ts";

/** A Secret that must exist in the cluster before pods start, and the keys that are read of it. */
export interface SecretNeed {
  readonly name: string;
  readonly keys: readonly string[];
}

/** The Secrets that a Deployment refers to. */
export function secretsOf({ deployments }: Pick<Rendered, "deployments">): SecretNeed[] {
  const keys = new Map<string, Set<string>>();
  const need = (name: string, key: string): void => {
    keys.set(name, (keys.get(name) ?? new Set()).add(key));
  };
  for (const deployment of deployments) {
    for (const { valueFrom } of containerOf(deployment).env ?? []) {
      const reference = valueFrom?.secretKeyRef;
      if (reference) need(reference.name ?? "", reference.key);
    }
    for (const { secret } of podSpecOf(deployment).volumes ?? []) {
      for (const { key } of secret?.items ?? []) need(secret?.secretName ?? "", key);
    }
  }
  return [...keys].map(([name, own]) => ({ name, keys: [...own] }));
}

/** Finds what must not lie in a repository: Secrets with content, and passwords among the settings. */
export function secretProblems({ secrets, configMaps, deployments }: Rendered): Problem[] {
  const problems: Problem[] = [];
  for (const manifest of secrets) {
    for (const field of ["data", "stringData"] as const) {
      if (Object.keys(manifest[field] ?? {}).length === 0) continue;
      problems.push({ manifest, path: [field], text: "a Secret's content is not kept here: refer to it by its name" });
    }
  }
  const check = (manifest: Manifest, path: readonly (string | number)[], value: string | undefined): void => {
    if (!URL.parse(value ?? "")?.password) return;
    problems.push({ manifest, path, text: "holds a password: the whole URL belongs into a Secret" });
  };
  for (const manifest of configMaps) {
    for (const [setting, value] of Object.entries(manifest.data ?? {})) check(manifest, ["data", setting], value);
  }
  for (const manifest of deployments) {
    for (const [index, { value }] of (containerOf(manifest).env ?? []).entries()) {
      check(manifest, [...containerPath, "env", index, "value"], value);
    }
  }
  return problems;
}
