import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { repositoryRoot } from "../check/check.ts";
import { createFixture, runCommand } from "../check/testing.ts";
import { SERVICE_NAMES } from "../dev/stack/ports.ts";
import { checkManifests } from "./check-manifests.ts";
import { type Kubectl, locateKubectl, thisMachine } from "./kubectl.ts";

let kubectl: Kubectl;
beforeAll(async () => {
  kubectl = await locateKubectl(thisMachine(join(repositoryRoot, ".weft/kubectl")), () => undefined);
}, 120_000);

test("the manifests are valid, and every service is among them", async () => {
  const { problems, configured } = await checkManifests(repositoryRoot, kubectl);
  expect(problems).toEqual([]);
  expect(configured.map(({ service }) => service).sort()).toEqual([...SERVICE_NAMES].sort());
});

describe("make k8s", () => {
  const runOn = (root: string) => runCommand(process.execPath, [join(repositoryRoot, "tools/k8s/main.ts"), root], root);

  test("prints a line for each service", async () => {
    const { exitCode, output } = await runOn(repositoryRoot);
    expect(output).toMatch(
      /^order +4 +grpc, grpc shop.order.v1.OrderService, grpc +\d+ +order-database, order-certificate +valid$/m,
    );
    expect(output).toMatch(/^k8s: ok \(\d+ objects, kustomize v5/m);
    expect(exitCode).toBe(0);
  });

  test("fails on an unknown field and a missing setting, naming file, line and field", async () => {
    await using fixture = await createFixture(["k8s"]);
    await fixture.edit("k8s/base/order/deployment.yaml", "readinessProbe", "readinesProbe");
    expect(await runOn(fixture.root)).toMatchObject({
      exitCode: 1,
      output: expect.stringMatching(
        /^k8s\/base\/order\/deployment.yaml:16: Deployment order: .*containers\[service\]\.readinesProbe: unknown field$/m,
      ),
    });
    await fixture.edit("k8s/base/order/deployment.yaml", "readinesProbe", "readinessProbe");
    await fixture.edit("k8s/base/order/deployment.yaml", "MYSQL_URL", "MYSQL_URI");
    expect(await runOn(fixture.root)).toMatchObject({
      exitCode: 1,
      output: expect.stringMatching(
        /^k8s\/base\/order\/deployment.yaml:10: Deployment order: .*containers\[service\]\.env: MYSQL_URL is not set/m,
      ),
    });
  });

  test("says in a line why kustomize cannot render", async () => {
    await using fixture = await createFixture(["k8s"]);
    await fixture.edit("k8s/base/order/kustomization.yaml", "components", "componets");
    const { exitCode, output } = await runOn(fixture.root);
    expect(output).toMatch(/^kustomize cannot render k8s\/base: .*unknown field "componets"$/m);
    expect(exitCode).toBe(1);
  });
});

const service = "k8s/base/service/deployment.yaml";
const all = [...SERVICE_NAMES].sort().join(", ");
const settings = (name: string) => new RegExp(`ConfigMap ${name}-settings-\\w+: data\\.`).source;

// What is changed, in which file, from what to what; and what is said of it.
const broken: [string, string, string, string, string][] = [
  [
    "a field that all share, once for all",
    service,
    "image:",
    "imagee:",
    `${service}:\\d+: Deployment ${all}: .*imagee: unknown`,
  ],
  [
    "a setting that one service does not read",
    "k8s/base/order/kustomization.yaml",
    "LOG_LEVEL=info",
    "LOG_LEVL=info",
    `order/kustomization.yaml:\\d+: ${settings("order")}LOG_LEVL: unknown setting LOG_LEVL: the order service does not read it`,
  ],
  [
    "a setting that no service reads",
    "k8s/base/kustomization.yaml",
    "- TOKEN_ISSUER",
    "- NOBODYS=1\n      - TOKEN_ISSUER",
    `base/kustomization.yaml:\\d+: ${settings("common")}NOBODYS: unknown setting NOBODYS: no service reads it`,
  ],
  [
    "a setting that makes no sense",
    "k8s/base/edge/kustomization.yaml",
    "EDGE_ADDR=0.0.0.0:8080",
    "EDGE_ADDR=8080",
    `edge/kustomization.yaml:\\d+: ${settings("edge")}EDGE_ADDR: EDGE_ADDR=8080 is not host:port`,
  ],
  [
    "a ConfigMap that is not there",
    "k8s/base/order/kustomization.yaml",
    "order-settings",
    "orders-settings",
    "Deployment order: .*envFrom\\[1\\]: there is no ConfigMap order-settings",
  ],
  [
    "a service that is called and not named",
    "k8s/base/cart/kustomization.yaml",
    "WEFT_DISCOVERY=dns:catalog=catalog:7100",
    '"WEFT_DISCOVERY=dns:"',
    "cart calls catalog, and is not told where it is",
  ],
  [
    "a service that is named and not called",
    "k8s/base/cart/kustomization.yaml",
    "catalog:7100",
    "catalog:7100,order=order:7100",
    "cart does not call order",
  ],
  [
    "an address without a Service",
    "k8s/base/cart/kustomization.yaml",
    "=catalog:7100",
    "=katalog:7100",
    "no headless Service has the address katalog:7100",
  ],
  [
    "an address of a Service that hides its pods",
    "k8s/base/service/service.yaml",
    "  clusterIP: None\n",
    "",
    "no headless Service has the address catalog:7100",
  ],
  [
    "a password among the settings",
    "k8s/base/kustomization.yaml",
    "nats://nats",
    "nats://weft:secret@nats",
    `base/kustomization.yaml:\\d+: ${settings("common")}NATS_URL: holds a password`,
  ],
  [
    "a Secret with content",
    "k8s/base/namespace.yaml",
    "apiVersion",
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\nstringData:\n  b: c\n---\napiVersion",
    "namespace.yaml:5: Secret a: stringData: a Secret's content is not kept here",
  ],
  [
    "readiness of a contract that is not served",
    "k8s/base/order/deployment.yaml",
    "OrderService",
    "OrdersService",
    "Deployment order: .*readinessProbe: asks for shop.order.v1.OrdersService, which",
  ],
  [
    "a probe of another port",
    service,
    "port: 7101",
    "port: 7100",
    "startupProbe: asks port 7100, but health is served on 7101",
  ],
  [
    "a probe that asks nothing",
    service,
    "            grpc:\n              port: 7101\n            periodSeconds: 10",
    "            periodSeconds: 10",
    "livenessProbe: asks nothing",
  ],
  [
    "a port on which nothing listens",
    service,
    "containerPort: 7102",
    "containerPort: 7103",
    "ports: port metrics is 7103, but the service listens on 7102",
  ],
  [
    "a server that nobody outside the pod reaches",
    "k8s/base/kustomization.yaml",
    "GRPC_ADDR=0.0.0.0",
    "GRPC_ADDR=127.0.0.1",
    "listens for grpc on 127.0.0.1",
  ],
  [
    "less time than a drain may take",
    service,
    "PeriodSeconds: 35",
    "PeriodSeconds: 25",
    "terminationGracePeriodSeconds: gives 25000 ms",
  ],
  [
    "a file that no Secret brings",
    "k8s/base/user/deployment.yaml",
    "path: key.pem",
    "path: other.pem",
    "TOKEN_KEY_FILE: no Secret is mounted as /etc/weft/token/key.pem",
  ],
  [
    "a certificate without its key",
    service,
    "path: key.pem",
    "path: tls.key",
    "WEFT_CERT_DIR: no Secret is mounted as /etc/weft/certificate/key.pem",
  ],
  [
    "a mount without a volume",
    service,
    "- name: certificate\n              mountPath",
    "- name: certificates\n              mountPath",
    "there is no volume certificates",
  ],
  [
    "a port of a Service that no pod has",
    "k8s/base/service/service.yaml",
    "targetPort: metrics",
    "targetPort: metric",
    "service.yaml:\\d+: Service .*targetPort: its pods have no port metric",
  ],
  [
    "a Service that selects nothing",
    "k8s/base/edge/public.yaml",
    "selector:\n    app.kubernetes.io/name: edge",
    "selector:\n    app.kubernetes.io/name: egde",
    "public.yaml:\\d+: Service edge-public: spec.selector: selects 0 Deployments",
  ],
  [
    "a service that is left out",
    "k8s/base/kustomization.yaml",
    "  - recommendation\n",
    "",
    "the recommendation service has no Deployment",
  ],
];

test.each(broken)("%s is found", async (_, file, from, to, expected) => {
  await using fixture = await createFixture(["k8s"]);
  await fixture.edit(file, from, to);
  const { problems } = await checkManifests(fixture.root, kubectl);
  expect(problems.join("\n")).toMatch(new RegExp(expected));
});
