import { glob, readFile } from "node:fs/promises";
import { join, matchesGlob, relative } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { repositoryRoot } from "./check.ts";
import { createFixture, type Fixture, runCommand } from "./testing.ts";

interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** Files of the repository, what they must not import, and what they may. */
const cases: readonly { file: string; forbidden: readonly string[]; allowed: readonly string[] }[] = [
  {
    file: "services/order/rpc.ts",
    forbidden: [
      "./main.ts",
      "./config.ts",
      "./testing/neighbours.ts",
      "../user/domain.ts",
      "../single.ts",
      "../../mesh/server/index.ts",
      "../../tools/dev/seed.ts",
    ],
    allowed: [
      "./usecases.ts",
      "./domain.ts",
      "./store.ts",
      "../../gen/shop/order/v1/order_pb.ts",
      "@weft/mesh/server",
      "@weft/mesh/gen/google/rpc/code_pb.js",
    ],
  },
  { file: "services/order/store.ts", forbidden: ["./main.ts"], allowed: ["./saga.ts", "@weft/mesh/data"] },
  { file: "services/user/passwords.ts", forbidden: ["./main.ts"], allowed: ["./usecases.ts", "node:crypto"] },
  {
    file: "services/order/main.ts",
    forbidden: ["../user/main.ts", "../../mesh/server/serve.ts", "./testing/neighbours.ts"],
    allowed: ["./config.ts", "./rpc.ts", "./store.ts", "./clients.ts", "./events.ts", "./usecases.ts"],
  },
  {
    file: "services/order/config.ts",
    forbidden: ["./domain.ts", "../user/config.ts"],
    allowed: ["@weft/mesh/server", "@weft/mesh/contract"],
  },
  {
    file: "services/order/usecases.ts",
    forbidden: [
      "./rpc.ts",
      "./store.ts",
      "./clients.ts",
      "./events.ts",
      "./main.ts",
      "./config.ts",
      "../user/domain.ts",
    ],
    allowed: ["./domain.ts", "./pricing.ts", "./changes.ts", "../../gen/shop/order/v1/events_pb.ts"],
  },
  { file: "services/user/usecases.ts", forbidden: ["./tokens.ts", "./passwords.ts"], allowed: ["./domain.ts"] },
  { file: "services/order/saga.ts", forbidden: ["./store.ts", "./clients.ts"], allowed: ["./domain.ts"] },
  { file: "services/order/pricing.ts", forbidden: ["./store.ts"], allowed: ["./domain.ts"] },
  { file: "services/order/changes.ts", forbidden: ["./events.ts"], allowed: ["./domain.ts"] },
  {
    file: "services/notification/templates.ts",
    forbidden: ["./usecases.ts", "./store.ts"],
    allowed: ["./domain.ts", "./letter.ts", "./sms-text.ts"],
  },
  { file: "services/notification/letter.ts", forbidden: ["./events.ts"], allowed: ["./domain.ts"] },
  { file: "services/notification/sms-text.ts", forbidden: ["./mailer.ts"], allowed: ["./domain.ts"] },
  {
    file: "services/order/domain.ts",
    forbidden: ["./usecases.ts", "./pricing.ts", "../user/domain.ts", "@weft/mesh/data", "node:fs"],
    allowed: ["@weft/mesh/contract", "../../gen/shop/order/v1/events_pb.ts", "@connectrpc/connect"],
  },
  {
    file: "services/user/main.test.ts",
    forbidden: ["../order/main.ts", "../../mesh/testing/world.ts"],
    allowed: ["./main.ts", "./config.ts", "../../tools/dev/testing/mesh.ts", "../../gen/shop/user/v1/user_pb.ts"],
  },
  {
    file: "services/order/testing/neighbours.ts",
    forbidden: ["../../user/main.ts", "../../../mesh/server/serve.ts"],
    allowed: ["../main.ts", "./neighbours.ts", "../../../gen/shop/user/v1/user_pb.ts", "../../../tools/dev/seed.ts"],
  },
  {
    file: "services/edge/storefront/src/pages/home.ts",
    forbidden: ["../../../main.ts", "../../../../catalog/domain.ts", "@weft/mesh/client"],
    allowed: [
      "../dom.ts",
      "../../../../../gen/shop/api/v1/catalog_pb.ts",
      "@weft/mesh/gen/google/rpc/error_details_pb.js",
      "@connectrpc/connect-web",
    ],
  },
  {
    file: "services/single.ts",
    forbidden: ["./order/domain.ts", "./order/store.ts", "../mesh/server/index.ts"],
    allowed: ["./order/main.ts", "./user/config.ts", "@weft/mesh/server"],
  },
  {
    file: "mesh/contract/policy.ts",
    forbidden: ["../telemetry/logger.ts", "../data/id.ts", "../client/mesh.ts", "mysql2", "nats", "ioredis"],
    allowed: ["../context/call-context.ts", "../gen/weft/v1/options_pb.ts", "./clock.ts"],
  },
  {
    file: "mesh/context/call-context.ts",
    forbidden: ["../resilience/retry.ts", "../security/spiffe.ts", "../server/serve.ts", "mysql2/promise"],
    allowed: ["../contract/errors.ts"],
  },
  {
    file: "mesh/telemetry/telemetry.ts",
    forbidden: ["../events/broker.ts", "../server/serve.ts", "mysql2/promise", "@nats-io/jetstream"],
    allowed: ["../context/call-context.ts", "../security/spiffe.ts", "@opentelemetry/api"],
  },
  { file: "mesh/resilience/retry.ts", forbidden: ["../client/mesh.ts", "ioredis"], allowed: ["cockatiel"] },
  {
    file: "mesh/tunnel/client-tunnel.ts",
    forbidden: ["../client/mesh.ts", "../server/serve.ts", "../data/id.ts", "ioredis"],
    allowed: ["../contract/errors.ts", "../gen/weft/tunnel/v1/tunnel_pb.ts", "@grpc/grpc-js"],
  },
  {
    file: "mesh/discovery/dns.ts",
    forbidden: ["../client/mesh.ts", "../discovery-nats/link.ts", "../events/backoff.ts", "nats"],
    allowed: ["../contract/discovery.ts", "../telemetry/logger.ts"],
  },
  {
    file: "mesh/overrides/overrides.ts",
    forbidden: ["../client/edge-settings.ts", "../server/serve.ts", "@nats-io/jetstream"],
    allowed: ["../security/spiffe.ts", "../gen/weft/overrides/v1/override_pb.ts"],
  },
  {
    file: "mesh/discovery-nats/bucket.ts",
    forbidden: ["../client/mesh.ts", "../server/serve.ts"],
    allowed: ["../events/backoff.ts", "nats", "@nats-io/jetstream"],
  },
  {
    file: "mesh/security/credentials.ts",
    forbidden: ["../client/mesh.ts", "nats"],
    allowed: ["../telemetry/logger.ts"],
  },
  {
    file: "mesh/data/database.ts",
    forbidden: ["../client/mesh.ts", "../server/serve.ts", "../../services/order/domain.ts"],
    allowed: ["mysql2/promise", "../telemetry/telemetry.ts", "../contract/errors.ts"],
  },
  {
    file: "mesh/events/broker.ts",
    forbidden: ["../client/mesh.ts", "../../gen/shop/order/v1/events_pb.ts"],
    allowed: ["../data/queryable.ts", "nats", "@nats-io/jetstream"],
  },
  {
    file: "mesh/client/mesh.ts",
    forbidden: [
      "../data/index.ts",
      "../events/index.ts",
      "../discovery-nats/index.ts",
      "mysql2/promise",
      "ioredis",
      "nats",
      "@nats-io/jetstream",
      "../testing/world.ts",
      "../../services/order/main.ts",
      "../../gen/shop/order/v1/order_pb.ts",
      "../../tools/dev/certificates.ts",
    ],
    allowed: [
      "../server/in-process-network.ts",
      "../tunnel/limits.ts",
      "../resilience/retry.ts",
      "../gen/weft/echo/v1/echo_pb.ts",
    ],
  },
  {
    file: "mesh/server/serve.ts",
    forbidden: ["../data/index.ts", "mysql2", "nats/lib", "../../services/order/main.ts"],
    allowed: ["../client/mesh.ts", "../security/credentials.ts", "@grpc/grpc-js"],
  },
  {
    file: "mesh/server/calls.test.ts",
    forbidden: ["../../services/order/main.ts", "../../gen/shop/order/v1/order_pb.ts"],
    allowed: ["../testing/world.ts", "../../tools/dev/certificates.ts", "../data/index.ts", "nats"],
  },
  { file: "mesh/testing/world.ts", forbidden: ["../../services/order/main.ts"], allowed: ["../../tools/dev/seed.ts"] },
];

async function lint(fixture: Fixture, rule: string): Promise<Diagnostic[]> {
  const args = ["lint", `--only=${rule}`, "--reporter=github", "--max-diagnostics=none", "."];
  const { output } = await runCommand(join(repositoryRoot, "node_modules/.bin/biome"), args, fixture.root);
  if (output.includes("configuration ━")) throw new Error(output);
  return [...output.matchAll(/^::error .*?file=([^,]+),line=(\d+),.*?::(.*)$/gm)].map(
    ([, file = "", line, message = ""]) => ({ file: relative(fixture.root, file), line: Number(line), message }),
  );
}

async function filesMatching(pattern: string): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob(pattern, { cwd: repositoryRoot, exclude: ["**/node_modules/**"] })) files.push(file);
  return files;
}

describe("layer rules", () => {
  let diagnostics: Diagnostic[];

  beforeAll(async () => {
    await using fixture = await createFixture(["biome.json", ".gitignore"]);
    for (const { file, forbidden, allowed } of cases) {
      const lines = [...forbidden, ...allowed].map((specifier) => `import ${JSON.stringify(specifier)};\n`);
      await fixture.write(file, lines.join(""));
    }
    diagnostics = await lint(fixture, "style/noRestrictedImports");
  });

  test.each(cases)("$file imports what its layer may, and nothing else", ({ file, forbidden, allowed }) => {
    const flagged = new Set(diagnostics.filter((found) => found.file === file).map(({ line }) => line));
    const specifiers = [...forbidden, ...allowed];
    expect(specifiers.filter((_, index) => flagged.has(index + 1))).toEqual(forbidden);
  });

  test.each(cases)("$file is a file of the repository", async ({ file }) => {
    expect(await filesMatching(file)).toEqual([file]);
  });

  test("each rule of biome.json matches files of the repository, and each of its patterns is proved above", async () => {
    const { overrides } = JSON.parse(await readFile(join(repositoryRoot, "biome.json"), "utf8"));
    for (const { includes, linter } of overrides) {
      const globs: string[] = includes.filter((include: string) => !include.startsWith("!"));
      for (const pattern of globs) expect(await filesMatching(pattern), pattern).not.toEqual([]);
      for (const { message } of linter.rules.style?.noRestrictedImports.options.patterns ?? []) {
        const proof = diagnostics.some(
          (found) => found.message === message && globs.some((pattern) => matchesGlob(found.file, pattern)),
        );
        expect(proof, `${includes}: ${message}`).toBe(true);
      }
    }
    expect(overrides.length).toBeGreaterThan(10);
  });
});

test("an import cycle fails, across files and folders", async () => {
  await using fixture = await createFixture(["biome.json", ".gitignore"]);
  await fixture.write("mesh/client/a.ts", 'import { b } from "../server/b.ts";\nexport const a = () => b;\n');
  await fixture.write("mesh/server/b.ts", 'import { a } from "../client/a.ts";\nexport const b = () => a;\n');
  await fixture.write("mesh/client/c.ts", 'import { a } from "./a.ts";\nexport const c = () => a;\n');
  const files = (await lint(fixture, "suspicious/noImportCycles")).map(({ file }) => file);
  expect(files.sort()).toEqual(["mesh/client/a.ts", "mesh/server/b.ts"]);
});
