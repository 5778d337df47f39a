import type { Database, Transaction } from "@weft/mesh/data";
import {
  badImportLine,
  importIdDiffers,
  importIsEmpty,
  isWithin,
  type LineRange,
  lineRange,
  type Rejection,
  type StockLine,
  totalBySku,
  uncovered,
} from "./domain.ts";

/** Deliveries taken in, as they are stored. */
export interface ImportStore {
  /** Remembers the import, and locks it until the transaction ends. */
  lockImport(tx: Transaction, importId: string): Promise<void>;
  /** Ranges of lines seen that overlap that one. */
  findRanges(tx: Transaction, importId: string, range: LineRange): Promise<LineRange[]>;
  /** Lines of that range that were rejected. */
  findRejected(tx: Transaction, importId: string, range: LineRange): Promise<Set<number>>;
  /** What is available of those of the SKUs that have stock, be it none; locked until the transaction ends. */
  lockAvailable(tx: Transaction, skus: readonly string[]): Promise<Map<string, bigint>>;
  /** Adds to what is on hand of SKUs that lockAvailable() has found. */
  addStock(tx: Transaction, lines: readonly StockLine[]): Promise<void>;
  addRanges(tx: Transaction, importId: string, ranges: readonly LineRange[]): Promise<void>;
  saveRejections(tx: Transaction, importId: string, rejections: readonly Rejection[]): Promise<void>;
  removeRejections(tx: Transaction, importId: string, lines: readonly number[]): Promise<void>;
  /** Adds to the numbers of lines accepted and rejected. */
  count(tx: Transaction, importId: string, change: { accepted: number; rejected: number }): Promise<void>;
  findSummary(importId: string, rejectionsMax: number): Promise<ImportSummary>;
}

/** What came in of one SKU, and what is available of it since then. */
export interface ReceivedStock extends StockLine {
  available: bigint;
}

/** What the rest of the shop hears of: one event for each batch that brought something. */
export interface ImportEvents {
  stockReceived(tx: Transaction, importId: string, lines: readonly ReceivedStock[]): Promise<void>;
}

export interface ImportSummary {
  accepted: bigint;
  rejectedCount: bigint;
  /** The first of them, by line. */
  rejected: Rejection[];
}

/** One message of an import. */
export interface ImportBatch {
  importId: string;
  firstLine: bigint;
  lines: readonly { sku: string; quantity: bigint }[];
}

export interface ImportDeps {
  database: Pick<Database, "transaction">;
  imports: ImportStore;
  events: ImportEvents;
}

/** Rejected lines that the answer names. */
const rejectionsNamedMax = 1_000;

/**
 * Takes in a delivery, batch by batch, each in a transaction of its own, and sums up. Lines taken by an earlier run of the same import are not
 * taken again, however it was cut into batches; lines rejected then are looked at again. INVALID_ARGUMENT if nothing comes, or if a batch belongs
 * to another import: the batches before it are in.
 */
export async function importStock(
  { database, ...deps }: ImportDeps,
  batches: AsyncIterable<ImportBatch>,
): Promise<ImportSummary> {
  let importId: string | undefined;
  for await (const batch of batches) {
    importId ??= batch.importId;
    if (batch.importId !== importId) throw importIdDiffers();
    await database.transaction("inventory.importBatch", (tx) => importBatchIn(tx, deps, batch));
  }
  if (importId === undefined) throw importIsEmpty();
  return await deps.imports.findSummary(importId, rejectionsNamedMax);
}

async function importBatchIn(
  tx: Transaction,
  { imports, events }: Omit<ImportDeps, "database">,
  batch: ImportBatch,
): Promise<void> {
  const { importId } = batch;
  const range = lineRange(batch.firstLine, batch.lines.length);
  await imports.lockImport(tx, importId);
  const seen = await imports.findRanges(tx, importId, range);
  const rejectedBefore = seen.length > 0 ? await imports.findRejected(tx, importId, range) : new Set<number>();
  const lines = batch.lines
    .map(({ sku, quantity }, i) => ({ line: range.first + i, sku, quantity }))
    .filter(({ line }) => rejectedBefore.has(line) || !seen.some((taken) => isWithin(taken, line)));
  if (lines.length === 0) return;

  const wellFormed = lines.filter((line) => badImportLine(line) === undefined);
  const skus = [...new Set(wellFormed.map(({ sku }) => sku))].sort();
  const known = await imports.lockAvailable(tx, skus);
  const accepted = wellFormed.filter(({ sku }) => known.has(sku));
  const rejections = lines.flatMap(({ line, sku, quantity }): Rejection[] => {
    const reason = badImportLine({ sku, quantity }) ?? (known.has(sku) ? undefined : "unknown SKU");
    return reason === undefined ? [] : [{ line, sku, reason }];
  });

  const totals = totalBySku(accepted.map(({ sku, quantity }) => ({ sku, quantity: Number(quantity) })));
  await imports.addStock(tx, totals);
  const received = totals.map(({ sku, quantity }) => ({
    ...{ sku, quantity },
    available: (known.get(sku) ?? 0n) + BigInt(quantity),
  }));
  if (received.length > 0) await events.stockReceived(tx, importId, received);
  await imports.addRanges(tx, importId, uncovered(range, seen));
  await imports.saveRejections(tx, importId, rejections);
  const corrected = accepted.map(({ line }) => line).filter((line) => rejectedBefore.has(line));
  await imports.removeRejections(tx, importId, corrected);
  const rejected = rejections.filter(({ line }) => !rejectedBefore.has(line)).length - corrected.length;
  await imports.count(tx, importId, { accepted: accepted.length, rejected });
}
