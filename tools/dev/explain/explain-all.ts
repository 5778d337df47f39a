import type { Connection, RowDataPacket } from "mysql2/promise";
import type { Recording } from "./general-log.ts";
import { judgePlan, type PlanRules } from "./plans.ts";
import { isNameOf, type StatementSite } from "./statement-names.ts";

export interface ExplainRules extends PlanRules {
  /** Fewer rows tell nothing: the server reads a small table whole, index or not. */
  readonly rowsMin: number;
  /** Statements that may do what they do, each with the reason. */
  readonly accepted: Readonly<Record<string, string>>;
}

/** What nobody has run, and what ran without a name: statements of which EXPLAIN was told nothing. */
export function findUnseen(sites: readonly StatementSite[], { names, samples }: Recording): string[] {
  const unseen = sites.flatMap((site) => {
    if (site.name === undefined) return [`${site.file}:${site.line}: the statement's name is no literal`];
    const isSeen = [...names].some((name) => isNameOf(site, name));
    return isSeen ? [] : [`${site.file}:${site.line}: ${site.name} was never run: make the tour run it`];
  });
  const strangers = [...names].filter((name) => !sites.some((site) => isNameOf(site, name)));
  const unnamed = samples.filter(({ name }) => name === undefined).map(({ sql }) => sql.slice(0, 200));
  return [
    ...unseen,
    ...strangers.map((name) => `${name} was run, but is nowhere in the source`),
    ...unnamed.map((sql) => `was run past @weft/mesh/data: ${sql}`),
  ];
}

/** Tables, of those that grow, in which too little lies for their plans to mean anything. */
export async function findSmallTables(
  server: Connection,
  schemas: readonly string[],
  rules: ExplainRules,
): Promise<string[]> {
  const small: string[] = [];
  for (const schema of schemas) {
    const [tables] = await server.query<RowDataPacket[]>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?",
      [schema],
    );
    for (const { name } of tables) {
      if (rules.fixedTables.includes(name)) continue;
      await server.query(`ANALYZE TABLE ${schema}.${name}`);
      const [[row]] = await server.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${schema}.${name}`);
      if (Number(row?.n) < rules.rowsMin) small.push(`${schema}.${name} has ${row?.n} rows, not ${rules.rowsMin}`);
    }
  }
  return small.sort();
}

export interface Explained {
  /** A line for each statement whose plan gets slower with each row. */
  readonly problems: readonly string[];
  /** Names of those that may do what they do, and do it. */
  readonly accepted: readonly string[];
  /** How many were explained. */
  readonly count: number;
}

/** Explains all that ran. */
export async function explainAll(server: Connection, { samples }: Recording, rules: ExplainRules): Promise<Explained> {
  const problems = new Set<string>();
  const accepted = new Set<string>();
  const explainable = samples.filter(({ sql }) => !isPlainInsert(sql));
  for (const { schema, name = "?", sql } of explainable) {
    for (const { table, rows, what } of judgePlan(sql, await explain(server, schema, sql), rules)) {
      if (rules.accepted[name] === undefined) problems.add(`${name}: ${what}: ${table}, about ${rows} rows`);
      else accepted.add(name);
    }
  }
  return { problems: [...problems].sort(), accepted: [...accepted].sort(), count: explainable.length };
}

/** It reads nothing but the keys of what it writes. */
function isPlainInsert(sql: string): boolean {
  return /^(\/\*.*?\*\/\s*)?\s*(INSERT|REPLACE)\b/i.test(sql) && !/\bSELECT\b/i.test(sql.slice(0, 2_000));
}

async function explain(server: Connection, schema: string, sql: string): Promise<unknown> {
  await server.query(`USE ${schema}`);
  try {
    const [[row]] = await server.query<RowDataPacket[]>(`EXPLAIN FORMAT=JSON ${sql}`);
    return JSON.parse(String(row?.EXPLAIN));
  } catch (cause) {
    throw new Error(`cannot explain ${sql.slice(0, 300)}`, { cause });
  }
}
