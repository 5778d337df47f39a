import { expect, test } from "vitest";
import { formatPath, parseManifests } from "./manifest.ts";
import { schemaProblems } from "./schema.ts";

/** What is wrong with the objects of a text, "field: problem" each. */
function problemsOf(text: string): string[] {
  return parseManifests(text)
    .flatMap(schemaProblems)
    .map(({ manifest, path, text: what }) => `${formatPath(manifest, path)}: ${what}`);
}

const deployment = (container: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: order, labels: { example.com/any: thing } }
spec:
  selector: { matchLabels: { app: order } }
  template:
    metadata: { labels: { app: order } }
    spec:
      nodeSelector: { disk: ssd }
      containers:
        - name: service
          ${container}
`;

test("what Kubernetes knows passes, with names of one's own where it takes any", () => {
  expect(problemsOf(deployment("resources: { limits: { memory: 1Gi, example.com/gpu: 1 } }"))).toEqual([]);
  expect(problemsOf("apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { ANY: thing }")).toEqual([]);
});

test.each([
  ["a misspelt field", "imagee: weft", "spec.template.spec.containers[service].imagee: unknown field"],
  [
    "a misspelt field deep within lists",
    "env: [{ name: A, valueFrom: { secretKeyRef: { name: b, key: c, optionall: true } } }]",
    "spec.template.spec.containers[service].env[A].valueFrom.secretKeyRef.optionall: unknown field",
  ],
  [
    "a field that is missing",
    "env: [{ name: A, valueFrom: { secretKeyRef: { name: b } } }]",
    "spec.template.spec.containers[service].env[A].valueFrom.secretKeyRef.key: is missing",
  ],
  [
    "a text for a number",
    'ports: [{ name: grpc, containerPort: "7100" }]',
    "spec.template.spec.containers[service].ports[grpc].containerPort: must be of type integer",
  ],
  [
    "a quantity that is none",
    "resources: { limits: { memory: 1GiB } }",
    "spec.template.spec.containers[service].resources.limits.memory: must be of type number, or must be a valid quantity",
  ],
])("%s is found", (_, container, expected) => {
  expect(problemsOf(deployment(container))).toEqual([expected]);
});

test("what is below a field of the wrong type is not called unknown", () => {
  const path = "spec.template.spec.containers[service]";
  expect(problemsOf(deployment("env: { A: { b: c } }"))).toEqual([`${path}.env: must be of type array`]);
});

test("fields at the top are looked at too", () => {
  const text = "apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: a }\nspec: {}";
  expect(problemsOf(text)).toEqual(["spec: unknown field"]);
});

test("a kind without a validator is refused, not waved through", () => {
  const text = "apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: a }";
  expect(problemsOf(text)).toEqual(["kind: batch/v1 CronJob is not checked yet: name it in tools/k8s/schema.ts"]);
});

test("numbers are read as Kubernetes reads them: YAML 1.1, with octal modes", () => {
  const [manifest] = parseManifests("apiVersion: v1\nkind: X\nmetadata: { name: a }\nmode: 0440");
  expect(manifest).toMatchObject({ mode: 0o440 });
});
