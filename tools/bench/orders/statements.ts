/** A value as it is bound to a prepared statement. */
export type Value = string | bigint | Date | null;

/** A statement as a program would prepare it: the values that it ran with are parameters. */
export interface Statement {
  /** "order.insertOrder"; what is sent as text, such as COMMIT, is its own name. */
  readonly name: string;
  readonly sql: string;
  readonly values: readonly Value[];
}

/** Text, a time, bytes or a number of its own; texts in which a quote is doubled or escaped are one. */
const LITERAL =
  /(?<kind>\b(?:TIMESTAMP|DATE|TIME|x|X))?'(?<text>(?:[^'\\]|\\.|'')*)'|(?<type>\b[A-Za-z_]+\(\d+(?:,\s*\d+)?\))|(?<![\w.'])(?<number>-?\d+)(?![\w.'])/gs;
const ESCAPED: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", 0: "\0", Z: "\x1a", b: "\b" };

/** Makes parameters of the values that the server's log shows in a statement. */
export function parseStatement(logged: string): Statement {
  const [head = "", name = "?"] = /^\/\* ([\w.-]+) \*\/ /.exec(logged) ?? [];
  const values: Value[] = [];
  const sql = logged.slice(head.length).replaceAll(LITERAL, (whole: string, ...rest: unknown[]) => {
    const { kind, text, type, number } = rest.at(-1) as Partial<Record<"kind" | "text" | "type" | "number", string>>;
    // VARCHAR(64) has no value in it, and a path of JSON_TABLE must be part of the statement.
    if (type !== undefined || text?.startsWith("$")) return whole;
    values.push(number === undefined ? boundValue(kind, unescaped(text ?? "")) : BigInt(number));
    return "?";
  });
  return { name, sql: `${head}${sql}`, values };
}

function boundValue(kind: string | undefined, text: string): Value {
  if (kind === undefined) return text;
  if (kind.toLowerCase() === "x") return Buffer.from(text, "hex").toString("latin1");
  return kind === "TIME" ? text : new Date(`${text.replace(" ", "T")}${text.includes(":") ? "Z" : "T00:00:00Z"}`);
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)|''/gs, (_, escaped: string | undefined) =>
    escaped === undefined ? "'" : (ESCAPED[escaped] ?? escaped),
  );
}
