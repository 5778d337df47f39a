import { type Database, isDuplicateKey, type Queryable } from "@weft/mesh/data";
import type { Reservation, ReservationState, StockLine } from "./domain.ts";
import type { StockStore } from "./usecases.ts";

interface LevelRow {
  sku: string;
  on_hand: string;
  held: string;
}

/** A reservation beside one of its lines; beside nulls if it has none. */
interface ReservationRow {
  state: ReservationState;
  sku: string | null;
  quantity: number | null;
}

const selectReservation = `SELECT reservations.state, reservation_lines.sku, reservation_lines.quantity
  FROM reservations LEFT JOIN reservation_lines ON reservation_lines.order_id = reservations.order_id
  WHERE reservations.order_id = ?`;

/** Stock in the table `stock`, reservations in `reservations` and `reservation_lines`. */
export function createStockStore(database: Database): StockStore {
  return {
    async findLevels(skus, within: Queryable = database) {
      if (skus.length === 0) return [];
      const rows = await within.query<LevelRow>(
        "inventory.findLevels",
        `SELECT sku, on_hand, held FROM stock WHERE sku IN (${placeholders(skus, "?")})`,
        skus,
      );
      return rows.map((row) => ({ sku: row.sku, onHand: BigInt(row.on_hand), held: BigInt(row.held) }));
    },

    async findReservation(orderId) {
      const rows = await database.query<ReservationRow>("inventory.findReservation", selectReservation, [orderId]);
      return toReservation(orderId, rows);
    },

    async lockReservation(tx, orderId) {
      const sql = `${selectReservation} FOR UPDATE`;
      return toReservation(orderId, await tx.query<ReservationRow>("inventory.lockReservation", sql, [orderId]));
    },

    async addReservation(tx, orderId, state, heldAt) {
      try {
        const sql = "INSERT INTO reservations (order_id, state, held_at) VALUES (?, ?, ?)";
        await tx.execute("inventory.addReservation", sql, [orderId, state, heldAt ?? null]);
        return true;
      } catch (error) {
        if (isDuplicateKey(error)) return false;
        throw error;
      }
    },

    async addLines(tx, orderId, lines) {
      await tx.execute(
        "inventory.addLines",
        `INSERT INTO reservation_lines (order_id, sku, quantity) VALUES ${placeholders(lines, "(?, ?, ?)")}`,
        lines.flatMap(({ sku, quantity }) => [orderId, sku, quantity]),
      );
    },

    async setState(tx, orderId, state) {
      // Nothing moves on to HELD.
      const sql = "UPDATE reservations SET state = ?, held_at = NULL WHERE order_id = ?";
      await tx.execute("inventory.setState", sql, [state, orderId]);
    },

    async hold(tx, { sku, quantity }) {
      // The database compares with padding: to it "A " is "A". No SKU ends so.
      if (sku.endsWith(" ")) return false;
      const { affectedRows } = await tx.execute(
        "inventory.hold",
        "UPDATE stock SET held = held + ? WHERE sku = ? AND on_hand - held >= ?",
        [quantity, sku, quantity],
      );
      return affectedRows === 1;
    },

    async apply(tx, { sku, quantity }, effect) {
      await tx.execute("inventory.apply", "UPDATE stock SET on_hand = on_hand + ?, held = held + ? WHERE sku = ?", [
        quantity * effect.onHand,
        quantity * effect.held,
        sku,
      ]);
    },

    async addKnownOrder(tx, orderId) {
      const sql =
        "INSERT INTO known_orders (order_id) VALUES (?) ON DUPLICATE KEY UPDATE order_id = known_orders.order_id";
      await tx.execute("inventory.addKnownOrder", sql, [orderId]);
    },

    async findForgotten(heldBefore, limit) {
      const rows = await database.query<{ order_id: string }>(
        "inventory.findForgotten",
        `SELECT reservations.order_id FROM reservations FORCE INDEX (reservations_held)
         LEFT JOIN known_orders ON known_orders.order_id = reservations.order_id
         WHERE reservations.held_at < ? AND known_orders.order_id IS NULL
         ORDER BY reservations.held_at LIMIT ?`,
        [heldBefore, limit],
      );
      return rows.map((row) => row.order_id);
    },

    async tryLockHeld(tx, orderId, heldBefore) {
      const rows = await tx.query(
        "inventory.tryLockHeld",
        "SELECT order_id FROM reservations WHERE order_id = ? AND held_at < ? FOR UPDATE SKIP LOCKED",
        [orderId, heldBefore],
      );
      return rows.length > 0;
    },
  };
}

/** Stock that the warehouse has at first. */
export interface StockSeed {
  sku: string;
  onHand: number;
}

/** SKUs in one statement. */
const seedBatchSize = 1_000;

/** Adds the SKUs that have no stock yet; those that have are left as they are, so it may run at every start. */
export async function seedStock(database: Database, items: readonly StockSeed[]): Promise<void> {
  for (let i = 0; i < items.length; i += seedBatchSize) {
    const batch = items.slice(i, i + seedBatchSize);
    const there = await database.query<Pick<LevelRow, "sku">>(
      "inventory.findSeeded",
      `SELECT sku FROM stock WHERE sku IN (${placeholders(batch, "?")})`,
      batch.map(({ sku }) => sku),
    );
    const skus = new Set(there.map(({ sku }) => sku));
    const missing = batch.filter(({ sku }) => !skus.has(sku));
    if (missing.length === 0) continue;
    await database.execute(
      "inventory.seedStock",
      `INSERT INTO stock (sku, on_hand, held) VALUES ${placeholders(missing, "(?, ?, 0)")}
       ON DUPLICATE KEY UPDATE sku = stock.sku`,
      missing.flatMap(({ sku, onHand }) => [sku, onHand]),
    );
  }
}

function toReservation(orderId: string, rows: readonly ReservationRow[]): Reservation | undefined {
  const [first] = rows;
  if (first === undefined) return undefined;
  const lines = rows.flatMap(({ sku, quantity }): StockLine[] =>
    sku === null || quantity === null ? [] : [{ sku, quantity }],
  );
  // By SKU, as all take their row locks in that order.
  lines.sort((a, b) => (a.sku < b.sku ? -1 : 1));
  return { orderId, state: first.state, lines };
}

function placeholders(items: readonly unknown[], each: string): string {
  return items.map(() => each).join(", ");
}
