import { expect, test } from "vitest";
import { locateKubectl, type Machine } from "./kubectl.ts";

/** A machine with these programs, by the kustomize that each has. */
function machine(programs: Readonly<Record<string, string>>, platform = "linux-x64"): Machine & { unpacked: number } {
  const own = {
    platform,
    unpacked: 0,
    find: (name: string) => Object.keys(programs).find((file) => file.endsWith(`/${name}`)),
    kustomizeVersion: async (file: string) => programs[file] ?? (file === "/unpacked" ? "v5.7.1" : undefined),
    async unpack() {
      own.unpacked += 1;
      return "/unpacked";
    },
  };
  return own;
}

const say = (): void => undefined;

test("a recent kubectl on the PATH is used, and nothing is downloaded", async () => {
  const own = machine({ "/usr/bin/kubectl": "v5.0.1" });
  expect(await locateKubectl(own, say)).toEqual({ file: "/usr/bin/kubectl", kustomizeVersion: "v5.0.1" });
  expect(own.unpacked).toBe(0);
});

test.each([
  ["none", {}],
  ["one that tells no kustomize, as Debian 12's", { "/usr/bin/kubectl": "" }],
  ["one that is too old", { "/usr/bin/kubectl": "v4.5.7" }],
])("with %s, the packed one is taken", async (_, programs) => {
  expect(await locateKubectl(machine(programs), say)).toEqual({ file: "/unpacked", kustomizeVersion: "v5.7.1" });
});

test("where the packed one does not run, one line says what to install", async () => {
  const advice = "install kubectl 1.27 or later (https://kubernetes.io/docs/tasks/tools/)";
  await expect(locateKubectl(machine({}, "darwin-arm64"), say)).rejects.toThrow(`there is no kubectl: ${advice}`);
  const old = machine({ "/usr/bin/kubectl": "v4.5.7" }, "linux-arm64");
  await expect(locateKubectl(old, say)).rejects.toThrow(`/usr/bin/kubectl is too old: ${advice}`);
});
