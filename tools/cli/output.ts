/** Where a command reads and writes. The process's own, except in tests. */
export interface Io {
  stdin: AsyncIterable<Uint8Array | string>;
  stdout(text: string): void;
  stderr(text: string): void;
  workingDirectory: string;
  /** Whether stdout is a terminal, whose last line can be written anew. */
  isTerminal?: boolean;
  /** Makes standard input tell each key as it is pressed, where it is a terminal. */
  setKeysAtOnce?(isOn: boolean): void;
  /** Who runs the command, for the services' audit; empty if nobody knows. */
  user?: string;
}

export type OutputFormat = "text" | "json";

/** Columns of text, as wide as their widest cell. Empty when there is no row. */
export function formatTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map((column) => column.toUpperCase()), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Prints rows as a table, or as a JSON array of objects with the columns as keys. */
export function printRows<Row extends object>(
  io: Io,
  format: OutputFormat,
  rows: readonly Row[],
  columns: Record<string, (row: Row) => string>,
): void {
  if (format === "json") {
    io.stdout(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  const cells = rows.map((row) => Object.values(columns).map((cell) => cell(row)));
  io.stdout(`${formatTable(Object.keys(columns), cells)}\n`);
}
