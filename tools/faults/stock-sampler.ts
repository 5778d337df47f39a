import { setTimeout as pause } from "node:timers/promises";
import type { Finding } from "./checks/finding.ts";
import type { Rows } from "./truth.ts";

/** Looks at stock again and again while faults go on. Disposing of it ends it. */
export interface StockSampler extends AsyncDisposable {
  /** What was wrong at any look so far, each SKU once. */
  findings(): readonly Finding[];
  /** Looks that were answered. */
  samples(): number;
}

export interface StockSampleRow {
  readonly sku: string;
  readonly on_hand: string;
  readonly held: string;
  /** By its reservations. */
  readonly promised: string;
  readonly sold: string;
}

/** One statement, so all of it is of one moment. Only what an order has touched: of the rest the CHECK is looked at at the end. */
const sql = `SELECT s.sku, s.on_hand, s.held, SUM(IF(r.state = 'HELD', l.quantity, 0)) AS promised,
    SUM(IF(r.state = 'COMMITTED', l.quantity, 0)) AS sold
  FROM stock AS s JOIN reservation_lines AS l ON l.sku = s.sku JOIN reservations AS r ON r.order_id = l.order_id
  GROUP BY s.sku, s.on_hand, s.held`;

/** At every moment nothing is below zero, and what is held is what reservations hold; nothing is sold that never was there. */
export function checkSample(rows: readonly StockSampleRow[], atFirst: ReadonlyMap<string, number>): Finding[] {
  const invariant = "stock adds up at every moment";
  return rows.flatMap(({ sku: subject, ...row }): Finding[] => {
    const [onHand, held, promised, sold] = [row.on_hand, row.held, row.promised, row.sold].map(Number) as [
      ...[number, number, number, number],
    ];
    const detail = `${onHand} on hand, ${held} held, ${promised} promised, ${sold} sold, ${atFirst.get(subject)} at first`;
    if (held < 0 || onHand < held) return [{ invariant, kind: "wrong", subject, detail }];
    if (held !== promised) return [{ invariant, kind: "duplicated", subject, detail }];
    // A delivery may have brought more meanwhile, never less.
    return onHand + sold < (atFirst.get(subject) ?? 0) ? [{ invariant, kind: "lost", subject, detail }] : [];
  });
}

export function startStockSampler(
  truth: Rows,
  options: { readonly atFirst: ReadonlyMap<string, number>; readonly intervalMs: number },
): StockSampler {
  const found = new Map<string, Finding>();
  const stopping = new AbortController();
  let samples = 0;
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        for (const finding of checkSample(await truth.rows<StockSampleRow>("inventory", sql), options.atFirst)) {
          if (!found.has(finding.subject)) found.set(finding.subject, finding);
        }
        samples += 1;
      } catch {
        // The database may be what is being killed.
      }
      await pause(options.intervalMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = run();
  return {
    findings: () => [...found.values()],
    samples: () => samples,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}
