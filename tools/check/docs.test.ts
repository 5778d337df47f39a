import { expect, test } from "vitest";
import { checkDocs } from "./docs.ts";
import { createFixture, runScript } from "./testing.ts";

async function checkReadme(text: string, ...others: [path: string, text: string][]): Promise<readonly string[]> {
  await using fixture = await createFixture();
  await fixture.write("Makefile", "up: ## Start\n\t@true\nHIDDEN := value\n");
  await fixture.write("README.md", text);
  for (const [path, other] of others) await fixture.write(path, other);
  return (await checkDocs(fixture.root)).problems;
}

test("docs passes on what exists", async () => {
  const text = [
    "[guide](docs/guide.md#the-way-of-a-call), [here](#weft), [outside](https://connectrpc.com/docs)",
    "# Weft",
    "`services/<name>/main.ts` `services/{order,user}/*.ts` `services/order/` `mesh/index.ts:12` `order/unknown.ts`",
    "`make up TOPOLOGY=single` `npx weft list order` `@weft/mesh/client`",
    "```sh",
    "make up   # make it start",
    "npx weft call order shop.order.v1.OrderService/GetOrder",
    "```",
  ].join("\n");
  const guide = "## The way of a call\n[back](../README.md)\n";
  const files = ["services/order/main.ts", "services/user/main.ts", "mesh/index.ts"];
  const result = await checkReadme(text, ["docs/guide.md", guide], ...files.map((f): [string, string] => [f, ""]));
  expect(result).toEqual([]);
});

test.each([
  ["a relative link", "[x](docs/none.md)", "README.md:1: link to docs/none.md: there is no docs/none.md"],
  ["a link to a heading", "\n[x](#nowhere)", "README.md:2: link to #nowhere: README.md has no such heading"],
  ["a path", "`mesh/none.ts`", "README.md:1: mesh/none.ts: there is no such file or folder"],
  ["a path of a folder that is not there yet", "`k8s/base`", "k8s/base: there is no such file or folder"],
  [
    "a path with a placeholder",
    "`services/<name>/none.ts`",
    "services/<name>/none.ts: there is no such file or folder",
  ],
  ["a make target", "`make none`", "README.md:1: make none: the Makefile has no such target"],
  ["a variable of the Makefile as a target", "`make HIDDEN`", "make HIDDEN: the Makefile has no such target"],
  ["a make target in a block", "```sh\nmake up none\n```", "README.md:1: make none: the Makefile has no such target"],
  ["a weft command", "`npx weft none order`", "README.md:1: weft none: there is no such command"],
  ["a weft command in a block", "```\n$ npx weft none\n```", "README.md:1: weft none: there is no such command"],
])("docs fails for %s that does not exist", async (_, text, problem) => {
  expect(await checkReadme(text)).toEqual([expect.stringContaining(problem)]);
});

test("docs looks at the documents of services and of docs/", async () => {
  const problems = await checkReadme("", ["services/order/README.md", "`make none`"], ["docs/a/b.md", "`make none`"]);
  expect(problems).toEqual([
    expect.stringContaining("docs/a/b.md:1: make none"),
    expect.stringContaining("services/order/README.md:1: make none"),
  ]);
});

test("docs ends with exit code 1 and names the problems, also when there is nothing to look at", async () => {
  await using fixture = await createFixture();
  expect(await runScript("docs.ts", fixture)).toMatchObject({ exitCode: 1 });
  await fixture.write("README.md", "`mesh/none.ts`");
  const { exitCode, output } = await runScript("docs.ts", fixture);
  expect(exitCode).toBe(1);
  expect(output).toContain("README.md:1: mesh/none.ts: there is no such file or folder\ndocs: 1 problem (1 documents)");
});
