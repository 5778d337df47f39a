import { access, glob, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { run } from "../cli/cli.ts";
import { type Findings, runCheck } from "./check.ts";
import { makeTargets, shellCommands, weftCommand } from "./commands.ts";
import { type Document, type Found, parseMarkdown } from "./markdown.ts";

const documents = ["*.md", "docs/**/*.md", "{mesh,services,tools,proto,k8s}/**/README.md"];
/** Inline code that starts with one of these is a path of the repository. */
const topLevelFolders = ["mesh", "services", "tools", "proto", "docs", "k8s", "gen", ".ci"];

/** What the documents may name. */
interface Known {
  readonly root: string;
  readonly targets: ReadonlySet<string>;
  readonly weftCommands: ReadonlySet<string>;
  readonly anchorsOf: (path: string) => readonly string[] | undefined;
}

/** Finds links, paths, make targets and weft commands in the documents that do not exist. */
export async function checkDocs(root: string): Promise<Findings> {
  const parsed = new Map<string, Document>();
  const paths: string[] = [];
  for await (const path of glob(documents, { cwd: root, exclude: ["**/node_modules/**"] })) paths.push(path);
  for (const path of paths.sort()) {
    parsed.set(path, parseMarkdown(await readFile(join(root, path), "utf8")));
  }
  const known: Known = {
    root,
    targets: await readMakeTargets(root),
    weftCommands: await readWeftCommands(),
    anchorsOf: (path) => parsed.get(path)?.anchors,
  };
  const problems: string[] = [];
  for (const [path, document] of parsed) problems.push(...(await documentProblems(path, document, known)));
  if (parsed.size === 0) problems.push(`${root}: holds no document, so nothing was checked`);
  return { problems, seen: `${parsed.size} documents` };
}

async function documentProblems(path: string, document: Document, known: Known): Promise<string[]> {
  const code = [...document.spans, ...document.blocks];
  const found = await Promise.all([
    ...document.links.map((link) => check(link, linkProblem(path, link.text, known))),
    ...document.spans.map((span) => check(span, pathProblem(span.text, known))),
    ...code.flatMap((piece) => commandProblems(piece.text, known).map((problem) => check(piece, problem))),
  ]);
  const problems = found.flat().sort((a, b) => a.line - b.line);
  return problems.map(({ line, text }) => `${path}:${line}: ${text}`);
}

async function check({ line }: Found, problem: string | undefined | Promise<string | undefined>): Promise<Found[]> {
  const text = await problem;
  return text === undefined ? [] : [{ line, text }];
}

async function linkProblem(document: string, link: string, known: Known): Promise<string | undefined> {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined;
  const [target = "", anchor] = decodeURI(link).split("#");
  const path = target === "" ? document : normalize(join(dirname(document), target));
  if (!(await exists(join(known.root, path)))) return `link to ${link}: there is no ${path}`;
  const anchors = known.anchorsOf(path);
  if (anchor && anchors && !anchors.includes(anchor)) return `link to ${link}: ${path} has no such heading`;
  return undefined;
}

/** A path may hold wildcards, sets and placeholders, as in services/<name>/{main,config}.ts: then one file must fit. */
async function pathProblem(code: string, known: Known): Promise<string | undefined> {
  const [, path = ""] = /^([\w./@{},*<>-]+?)(:\d+)?$/.exec(code) ?? [];
  const slash = path.indexOf("/");
  if (slash === -1 || !topLevelFolders.includes(path.slice(0, slash))) return undefined;
  const pattern = path.replaceAll(/<[^>]*>/g, "*");
  for await (const _ of glob(pattern, { cwd: known.root })) return undefined;
  return `${code}: there is no such file or folder`;
}

function commandProblems(code: string, known: Known): string[] {
  return shellCommands(code).flatMap((words) => {
    const unknownTargets = makeTargets(words).filter((target) => !known.targets.has(target));
    const problems = unknownTargets.map((target) => `make ${target}: the Makefile has no such target`);
    const command = weftCommand(words);
    if (command && !known.weftCommands.has(command)) problems.push(`weft ${command}: there is no such command`);
    return problems;
  });
}

async function readMakeTargets(root: string): Promise<ReadonlySet<string>> {
  const text = await readFile(join(root, "Makefile"), "utf8").catch(() => "");
  const names = [...text.matchAll(/^([\w.-]+(?:[ \t]+[\w.-]+)*)[ \t]*:(?!=)/gm)];
  return new Set(names.flatMap((match) => (match[1] ?? "").split(/\s+/)));
}

/** The commands that weft's own help lists. */
async function readWeftCommands(): Promise<ReadonlySet<string>> {
  let help = "";
  const append = (text: string): void => {
    help += text;
  };
  await run(["--help"], { stdin: emptyInput(), stdout: append, stderr: append, workingDirectory: "." });
  const [, list = ""] = /^Commands:\n((?: .*\n)+)/m.exec(help) ?? [];
  const names = [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)].map((match) => match[1] ?? "");
  if (names.length === 0) throw new Error(`weft --help lists no commands:\n${help}`);
  return new Set(names);
}

async function* emptyInput(): AsyncIterable<Uint8Array> {}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) await runCheck("docs", checkDocs);
