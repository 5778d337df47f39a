import { expect, test } from "vitest";
import { locateEngines, type Machine } from "./locate.ts";
import { mariadb } from "./mariadb.ts";
import { nats } from "./nats.ts";

/** A machine with these programs; apt-get, if it has it, makes them all appear. */
function machine(programs: string[], options: { apt?: boolean | "broken"; docker?: boolean } = {}) {
  const installed: string[][] = [];
  const has = new Set(programs);
  const it: Machine = {
    find: (name) => (has.has(name) ? `/usr/sbin/${name}` : undefined),
    canInstall: async () => options.apt !== undefined && options.apt !== false,
    async install(packages) {
      installed.push([...packages]);
      if (options.apt === "broken") throw Object.assign(new Error("exit 100"), { stderr: "E: no space left" });
      for (const kind of [mariadb, nats]) has.add(kind.executable);
    },
    findDocker: async () => (options.docker ? "/usr/bin/docker" : undefined),
  };
  return { it, installed };
}

const locate = (it: Machine) => locateEngines([mariadb, nats], () => undefined, it);

test("an engine on the PATH is taken, and nothing is installed", async () => {
  const { it, installed } = machine(["mariadbd", "nats-server"], { apt: true, docker: true });
  expect((await locate(it)).get(nats)).toEqual({ kind: "executable", file: "/usr/sbin/nats-server" });
  expect(installed).toEqual([]);
});

test("what is missing is installed in one go", async () => {
  const { it, installed } = machine([], { apt: true, docker: true });
  expect((await locate(it)).get(mariadb)).toEqual({ kind: "executable", file: "/usr/sbin/mariadbd" });
  expect(installed).toEqual([["mariadb-server", "nats-server"]]);
});

test("Docker is taken for what apt-get could not bring", async () => {
  const { it } = machine(["nats-server"], { apt: "broken", docker: true });
  const programs = await locate(it);
  expect(programs.get(mariadb)).toEqual({ kind: "image", docker: "/usr/bin/docker", image: "mariadb:10.11" });
  expect(programs.get(nats)?.kind).toBe("executable");
});

test("where nothing works one line says what to install, and why apt-get failed", async () => {
  const { it } = machine(["nats-server"], { apt: "broken" });
  await expect(locate(it)).rejects.toThrow(
    'missing: mariadbd; install with "apt-get install mariadb-server", or start Docker, or set MYSQL_URL to running ones (apt-get failed: E: no space left)',
  );
});
