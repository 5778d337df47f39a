import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";

/** A place in the source where statements are run. */
export interface StatementSite {
  readonly file: string;
  readonly line: number;
  /** "order.insertOrder"; "*.giveBack" where a part of the name is known at run time only; undefined if there is no telling. */
  readonly name: string | undefined;
}

/** Where the product's SQL is. */
const SOURCES = ["services/*/*.ts", "mesh/{data,events,cache}/*.ts"];
const NO_PRODUCT = /(\.test\.ts|\/testing[^/]*\.ts)$/;

/** Calls of query(), execute() and insertRows() of @weft/mesh/data, by the position of the statement's name among the arguments. */
const CALLS: readonly { readonly pattern: RegExp; readonly nameAt: number }[] = [
  { pattern: /\.(?:query|execute)\b/g, nameAt: 0 },
  { pattern: /(?<!function )\binsertRows\b(?=[(<])/g, nameAt: 1 },
];

/** What looks like one and is none, or passes on a name that it was called with. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  "services/user/passwords.ts": ["work"],
  "mesh/data/pool.ts": ["sessionSettings(options.statementTimeoutMs, use)", '"SELECT VERSION() AS version"'],
  "mesh/data/statement.ts": ["named", "sql"],
  "mesh/data/insert-rows.ts": ["name"],
};

/** All places in the product's source that run statements. */
export async function readStatementSites(root: string): Promise<StatementSite[]> {
  const sites: StatementSite[] = [];
  for await (const file of glob(SOURCES, { cwd: root })) {
    if (NO_PRODUCT.test(file)) continue;
    sites.push(...findStatementSites(file, await readFile(join(root, file), "utf8")));
  }
  return sites.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
}

/** The places in one file. */
export function findStatementSites(file: string, source: string): StatementSite[] {
  const others = OTHERS[file] ?? [];
  return CALLS.flatMap(({ pattern, nameAt }) =>
    [...source.matchAll(pattern)].flatMap(({ index, 0: call }) => {
      const name = argumentsAt(source, index + call.length)?.[nameAt];
      // A function is work for something else that executes: a breaker, a limit.
      if (name === undefined || others.includes(name) || /^(async )?\(/.test(name)) return [];
      return [{ file, line: source.slice(0, index).split("\n").length, name: nameOf(name) }];
    }),
  );
}

/** Whether a statement's name is that of a place. */
export function isNameOf({ name }: StatementSite, statement: string): boolean {
  if (name === undefined) return false;
  return name.startsWith("*") ? statement.endsWith(name.slice(1)) : name === statement;
}

/** "order.find" of a literal, "*.claim" of a template that begins with something computed. */
function nameOf(argument: string): string | undefined {
  const literal = /^["']([\w.-]+)["']$/.exec(argument)?.[1];
  return literal ?? /^`\$\{[\w.]+\}(\.[\w.-]+)`$/.exec(argument)?.[1]?.replace(/^/, "*");
}

/** The arguments of a call whose type arguments or parenthesis begin at a position; undefined if it is no call. */
function argumentsAt(source: string, at: number): string[] | undefined {
  const open = source[at] === "<" ? endOf(source, at) + 1 : at;
  if (source[open] !== "(") return undefined;
  const end = endOf(source, open);
  const found: string[] = [];
  let from = open + 1;
  for (let i = from; i <= end; i += 1) {
    const character = source[i] ?? "";
    if (i === end || character === ",") {
      found.push(source.slice(from, i).trim());
      from = i + 1;
    } else if ("([{<\"'`".includes(character)) i = endOf(source, i);
  }
  return found;
}

const CLOSING: Readonly<Record<string, string>> = {
  "(": ")",
  "[": "]",
  "{": "}",
  "<": ">",
  '"': '"',
  "'": "'",
  "`": "`",
};

/** Where the bracket or quote closes that opens at a position. */
function endOf(source: string, at: number): number {
  const opening = source[at] ?? "";
  const closing = CLOSING[opening] ?? "";
  const isText = opening === closing;
  for (let i = at + 1; i < source.length; i += 1) {
    const character = source[i] ?? "";
    if (character === closing && !(closing === ">" && source[i - 1] === "=")) return i;
    if (isText) {
      if (character === "\\") i += 1;
      if (opening === "`" && source.startsWith("${", i)) i = endOf(source, i + 1);
    } else if ("([{\"'`".includes(character) || (opening === "<" && character === "<")) i = endOf(source, i);
  }
  return source.length;
}
