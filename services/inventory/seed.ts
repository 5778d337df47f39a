import { type Database, insertRows, type Transaction } from "@weft/mesh/data";
import { type Reservation, totalBySku } from "./domain.ts";

/** Writes what orders have taken long ago, and takes what was sold out of the stock. Once: with the first of them there, all are. */
export async function seedReservations(database: Database, reservations: readonly Reservation[]): Promise<void> {
  const held = reservations.find(({ state }) => state === "HELD");
  if (held !== undefined) throw new Error(`${held.orderId} holds stock: nobody would ever confirm or release it`);
  await database.transaction("inventory.seedReservations", async (tx) => {
    const sql = "SELECT 1 FROM reservations WHERE order_id = ?";
    const known = await tx.query("inventory.findSeededReservation", sql, [reservations[0]?.orderId ?? ""]);
    if (known.length === 0) await addAll(tx, reservations);
  });
}

async function addAll(tx: Transaction, reservations: readonly Reservation[]): Promise<void> {
  await insertRows(
    tx,
    "inventory.seedReservations",
    { table: "reservations", columns: ["order_id", "state"] },
    reservations.map(({ orderId, state }) => [orderId, state]),
  );
  await insertRows(
    tx,
    "inventory.seedLines",
    { table: "reservation_lines", columns: ["order_id", "sku", "quantity"] },
    reservations.flatMap(({ orderId, lines }) => lines.map(({ sku, quantity }) => [orderId, sku, quantity])),
  );
  await insertRows(
    tx,
    "inventory.seedKnownOrders",
    { table: "known_orders", columns: ["order_id"] },
    reservations.map(({ orderId }) => [orderId]),
  );
  const committed = reservations.filter(({ state }) => state === "COMMITTED");
  const sold = totalBySku(committed.flatMap(({ lines }) => lines));
  const { affectedRows } = await tx.execute(
    "inventory.seedSales",
    `UPDATE stock JOIN JSON_TABLE(?, '$[*]' COLUMNS (
       sku VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]', quantity BIGINT PATH '$[1]')) AS sold
       ON sold.sku = stock.sku
     SET stock.on_hand = stock.on_hand - sold.quantity`,
    [JSON.stringify(sold.map(({ sku, quantity }) => [sku, quantity]))],
  );
  if (affectedRows !== sold.length) throw new Error(`${sold.length} products were sold, ${affectedRows} are in stock`);
}
