import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { writeWhole } from "../processes/files.ts";

/** A line of a table: what each column says, in one order for all lines. */
export type FigureRow = Readonly<Record<string, string | number>>;

const figuresDirectory = fileURLToPath(new URL("../../../.weft/figures/", import.meta.url));

/**
 * Prints what a test has measured, and keeps it in `.weft/figures/<name>.md`: a table that a document can take over. For figures
 * that say something to people; what must hold is asserted beside it.
 */
export async function recordFigures(name: string, rows: readonly FigureRow[]): Promise<void> {
  const table = toMarkdown(rows);
  await mkdir(figuresDirectory, { recursive: true });
  await writeWhole(`${figuresDirectory}${name}.md`, table);
  process.stdout.write(`\n${name}\n\n${table}\n`);
}

function toMarkdown(rows: readonly FigureRow[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => columns.map((column) => String(row[column] ?? "")));
  const text = [columns, columns.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |\n`);
  return text.join("");
}
