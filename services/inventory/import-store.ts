import type { Database } from "@weft/mesh/data";
import type { LineRange } from "./domain.ts";
import type { ImportStore } from "./stock-import.ts";

/** The length of the longest range stored: what begins further away does not reach. */
const rangeLengthMax = 1_000;
/** SKUs are cut off here where they are quoted. */
const skuLengthMax = 64;

interface SummaryRow {
  accepted: string;
  rejected: string;
}

/** Imports in the tables `imports`, `import_ranges` and `import_rejections`; what they bring goes into `stock`. */
export function createImportStore(database: Database): ImportStore {
  return {
    async lockImport(tx, importId) {
      const sql = "INSERT INTO imports (import_id) VALUES (?) ON DUPLICATE KEY UPDATE import_id = imports.import_id";
      await tx.execute("inventory.lockImport", sql, [importId]);
    },

    async findRanges(tx, importId, { first, last }) {
      const rows = await tx.query<{ [End in keyof LineRange]: string }>(
        "inventory.findImportRanges",
        `SELECT first_line AS first, last_line AS last FROM import_ranges
         WHERE import_id = ? AND first_line BETWEEN ? AND ? AND last_line >= ?`,
        [importId, first - rangeLengthMax, last, first],
      );
      return rows.map((row) => ({ first: Number(row.first), last: Number(row.last) }));
    },

    async findRejected(tx, importId, { first, last }) {
      const rows = await tx.query<{ line: string }>(
        "inventory.findRejectedLines",
        "SELECT line FROM import_rejections WHERE import_id = ? AND line BETWEEN ? AND ?",
        [importId, first, last],
      );
      return new Set(rows.map(({ line }) => Number(line)));
    },

    async lockAvailable(tx, skus) {
      if (skus.length === 0) return new Map();
      // For many SKUs the optimizer would rather read, and so lock, the whole table.
      const rows = await tx.query<{ sku: string; available: string }>(
        "inventory.lockAvailable",
        `SELECT sku, on_hand - held AS available FROM stock FORCE INDEX (PRIMARY)
         WHERE sku IN (${marks(skus, "?")}) ORDER BY sku FOR UPDATE`,
        skus,
      );
      return new Map(rows.map(({ sku, available }) => [sku, BigInt(available)]));
    },

    async addStock(tx, lines) {
      if (lines.length === 0) return;
      // All of them are there, so nothing is inserted: the way to change many rows by different numbers in one statement.
      await tx.execute(
        "inventory.addStock",
        `INSERT INTO stock (sku, on_hand, held) VALUES ${marks(lines, "(?, ?, 0)")}
         ON DUPLICATE KEY UPDATE on_hand = on_hand + VALUES(on_hand)`,
        lines.flatMap(({ sku, quantity }) => [sku, quantity]),
      );
    },

    async addRanges(tx, importId, ranges) {
      if (ranges.length === 0) return;
      await tx.execute(
        "inventory.addImportRanges",
        `INSERT INTO import_ranges (import_id, first_line, last_line) VALUES ${marks(ranges, "(?, ?, ?)")}`,
        ranges.flatMap(({ first, last }) => [importId, first, last]),
      );
    },

    async saveRejections(tx, importId, rejections) {
      if (rejections.length === 0) return;
      await tx.execute(
        "inventory.saveImportRejections",
        `INSERT INTO import_rejections (import_id, line, sku, reason) VALUES ${marks(rejections, "(?, ?, ?, ?)")}
         ON DUPLICATE KEY UPDATE sku = VALUES(sku), reason = VALUES(reason)`,
        rejections.flatMap(({ line, sku, reason }) => [importId, line, cutOff(sku), reason]),
      );
    },

    async removeRejections(tx, importId, lines) {
      if (lines.length === 0) return;
      await tx.execute(
        "inventory.removeImportRejections",
        `DELETE FROM import_rejections WHERE import_id = ? AND line IN (${marks(lines, "?")})`,
        [importId, ...lines],
      );
    },

    async count(tx, importId, { accepted, rejected }) {
      await tx.execute(
        "inventory.countImport",
        "UPDATE imports SET accepted = accepted + ?, rejected = rejected + ? WHERE import_id = ?",
        [accepted, rejected, importId],
      );
    },

    async findSummary(importId, rejectionsMax) {
      const [counts] = await database.query<SummaryRow>(
        "inventory.findImport",
        "SELECT accepted, rejected FROM imports WHERE import_id = ?",
        [importId],
      );
      const rejected = await database.query<{ line: string; sku: string; reason: string }>(
        "inventory.findImportRejections",
        "SELECT line, sku, reason FROM import_rejections WHERE import_id = ? ORDER BY line LIMIT ?",
        [importId, rejectionsMax],
      );
      return {
        accepted: BigInt(counts?.accepted ?? 0),
        rejectedCount: BigInt(counts?.rejected ?? 0),
        rejected: rejected.map(({ line, ...rest }) => ({ ...rest, line: Number(line) })),
      };
    },
  };
}

/** By characters as the database counts them, not by half surrogate pairs. */
function cutOff(sku: string): string {
  return [...sku.slice(0, 2 * skuLengthMax)].slice(0, skuLengthMax).join("");
}

function marks(items: readonly unknown[], each: string): string {
  return items.map(() => each).join(", ");
}
