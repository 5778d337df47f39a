import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { repositoryRoot } from "../check/check.ts";
import { createFixture } from "../check/testing.ts";
import { manifestsFolder } from "./check-manifests.ts";
import { locateKubectl, thisMachine } from "./kubectl.ts";
import { render } from "./render.ts";
import { containerOf, sortByKind } from "./rendered.ts";
import { secretsOf } from "./secrets.ts";

const readme = await readFile(join(repositoryRoot, "k8s/README.md"), "utf8");
const kubectl = await locateKubectl(thisMachine(join(repositoryRoot, ".weft/kubectl")), () => undefined);

test("the README lists the Secrets that the manifests refer to, and their keys", async () => {
  const [, section = ""] = /^## Secrets$(.*?)^## /ms.exec(readme) ?? [];
  const rows = [...section.matchAll(/^\| (`.*?) \| (.*?) \|/gm)];
  const code = (text = ""): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  const listed = rows.flatMap(([, names, keys]) => code(names).map((name) => ({ name, keys: code(keys).sort() })));
  const needed = secretsOf(sortByKind(await render(kubectl, repositoryRoot, manifestsFolder)));
  const byName = (a: { name: string }, b: { name: string }): number => a.name.localeCompare(b.name);
  expect(listed.sort(byName)).toEqual(needed.map(({ name, keys }) => ({ name, keys: [...keys].sort() })).sort(byName));
});

test("the README's overlay renders, and its settings reach the pods", async () => {
  const [, overlay = ""] = /^```yaml\n(.*?)^```$/ms.exec(readme) ?? [];
  await using fixture = await createFixture(["k8s"]);
  await fixture.write("k8s/overlays/example/kustomization.yaml", overlay);
  const { deployments, configMaps } = sortByKind(await render(kubectl, fixture.root, "k8s/overlays/example"));
  const edge = deployments.find(({ metadata }) => metadata.name === "edge");
  expect(edge && containerOf(edge).image).toBe("registry.example/weft:0.1.0");
  const merged = parse(overlay).configMapGenerator.map(({ name, literals }: { name: string; literals: string[] }) => {
    const configMap = configMaps.find(({ metadata }) => metadata.name.startsWith(`${name}-`));
    const settings = Object.entries(configMap?.data ?? {}).map(([setting, value]) => `${setting}=${value}`);
    expect(settings).toEqual(expect.arrayContaining(literals));
    // What the base says, and the overlay does not, stays.
    expect(settings.length).toBeGreaterThan(literals.length);
    return configMap?.metadata.name;
  });
  expect(edge && containerOf(edge).envFrom?.map(({ configMapRef }) => configMapRef?.name)).toEqual(merged);
});
