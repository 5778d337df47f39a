import { glob } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { repositoryRoot } from "../check/check.ts";

/** The names for which a service answers health: that of the whole server, "", and those of its contracts. */
export async function servedBy(service: string): Promise<ReadonlySet<string>> {
  const names = new Set([""]);
  for await (const path of glob(`gen/shop/${service}/v1/*_pb.ts`, { cwd: repositoryRoot })) {
    const module: unknown = await import(pathToFileURL(join(repositoryRoot, path)).href);
    for (const descriptor of Object.values(module as object)) {
      if (isService(descriptor)) names.add(descriptor.typeName);
    }
  }
  return names;
}

function isService(value: unknown): value is { typeName: string } {
  return (
    typeof value === "object" && value !== null && "kind" in value && value.kind === "service" && "typeName" in value
  );
}
