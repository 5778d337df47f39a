import { join } from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "./check.ts";
import { runCommand } from "./testing.ts";

const drivers = ["mysql2", "ioredis", "nats", "@nats-io"];

/** The drivers that are loaded with an entry point of the mesh, however deep their import is. */
async function driversLoadedBy(entryPoint: string): Promise<string[]> {
  const script = `
    import { registerHooks } from "node:module";
    registerHooks({
      resolve(specifier, context, next) {
        const found = next(specifier, context);
        console.log(found.url);
        return found;
      },
    });
    await import(${JSON.stringify(join(repositoryRoot, entryPoint))});
  `;
  const { exitCode, output } = await runCommand(
    process.execPath,
    ["--input-type=module", "--eval", script],
    repositoryRoot,
  );
  expect(exitCode, output).toBe(0);
  expect(output).toContain(entryPoint);
  return drivers.filter((driver) => output.includes(`/node_modules/${driver}/`));
}

test.each(["client", "server", "discovery", "overrides"].map((name) => `mesh/${name}/index.ts`))(
  "%s loads neither a database nor a broker",
  async (file) => {
    expect(await driversLoadedBy(file)).toEqual([]);
  },
);

test("a driver that is loaded is noticed", async () => {
  expect(await driversLoadedBy("mesh/data/index.ts")).toEqual(["mysql2"]);
  expect(await driversLoadedBy("mesh/events/index.ts")).toContain("@nats-io");
});
