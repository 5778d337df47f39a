/** What a statement's plan is judged by. */
export interface PlanRules {
  /** Tables that are as small in ten years as today. A scan of any other is a problem. */
  readonly fixedTables: readonly string[];
  /** So many rows may be sorted: what a page, a customer or a batch has. */
  readonly sortedRowsMax: number;
}

/** What makes a statement slower with each row that its table gets. */
export interface PlanProblem {
  readonly table: string;
  readonly rows: number;
  readonly what: "reads the whole table" | "reads the whole index" | "sorts rows without a bound";
}

type Node = Readonly<Record<string, unknown>>;

/** Reads a few rows of a table, whichever: as cheap in a large table as in a small one. */
const ANY_ROWS = /^(\/\*[^*]*\*\/\s*)?SELECT [^()]*? FROM `?\w+`? LIMIT \d+$/i;

/** Judges what MariaDB's EXPLAIN FORMAT=JSON says of a statement. */
export function judgePlan(sql: string, plan: unknown, rules: PlanRules): PlanProblem[] {
  if (ANY_ROWS.test(sql.trim())) return [];
  const aliases = aliasesIn(sql);
  const problems: PlanProblem[] = [];
  const isFixed = (table: string) => rules.fixedTables.includes(table);
  const walk = (value: unknown, isSorted: boolean): void => {
    if (Array.isArray(value)) for (const each of value) walk(each, isSorted);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "table") judgeTable(inner as Node, isSorted);
      // What is materialized within is sorted, or not, for itself.
      walk(inner, key === "materialized" || key === "subqueries" ? false : isSorted || key === "filesort");
    }
  };
  const judgeTable = (node: Node, isSorted: boolean): void => {
    const alias = String(node.table_name ?? "");
    // "<derived2>" and JSON_TABLE: what the statement itself has brought along.
    if (node.access_type === undefined || alias.startsWith("<") || node.table_function !== undefined) return;
    const table = aliases.get(alias) ?? alias;
    if (isFixed(table)) return;
    const rows = Number(node.rows ?? 0);
    if (node.access_type === "ALL") problems.push({ table, rows, what: "reads the whole table" });
    else if (node.access_type === "index") problems.push({ table, rows, what: "reads the whole index" });
    // How many rows have a word the server does not know before it has looked.
    else if (isSorted && (rows > rules.sortedRowsMax || node.access_type === "fulltext")) {
      problems.push({ table, rows, what: "sorts rows without a bound" });
    }
  };
  walk(plan, false);
  return problems;
}

/** Which table goes by which name in a statement. */
function aliasesIn(sql: string): Map<string, string> {
  const pattern = /\b(?:FROM|JOIN|UPDATE|INTO|,)\s+\(*`?(\w+)`?\s+(?:AS\s+)?`?(\w+)`?/gi;
  return new Map([...sql.matchAll(pattern)].map(([, table = "", alias = ""]) => [alias, table]));
}
