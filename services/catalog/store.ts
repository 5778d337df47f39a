import type { Database } from "@weft/mesh/data";
import type { Product } from "./domain.ts";
import type { ProductStore } from "./usecases.ts";

const COLUMNS = "sku, name, description, currency_code, price_minor_units, version, updated_at";

interface ProductRow {
  sku: string;
  name: string;
  description: string;
  currency_code: string;
  price_minor_units: string;
  version: string;
  updated_at: Date;
}

/** Products in the table `products`. */
export function createProductStore(database: Database): ProductStore {
  async function findProducts(skus: readonly string[]): Promise<Product[]> {
    if (skus.length === 0) return [];
    const rows = await database.query<ProductRow>(
      "catalog.findProducts",
      `SELECT ${COLUMNS} FROM products WHERE sku IN (${skus.map(() => "?").join(", ")})`,
      skus,
    );
    return rows.map(toProduct);
  }

  return {
    findProducts,

    async findProduct(sku) {
      // The database compares with padding: to it "A " is "A".
      return (await findProducts([sku])).find((product) => product.sku === sku);
    },

    async listProducts(after, limit) {
      const rows = await database.query<ProductRow>(
        "catalog.listProducts",
        `SELECT ${COLUMNS} FROM products WHERE sku > ? ORDER BY sku LIMIT ?`,
        // Every SKU comes after the empty one.
        [after ?? "", limit],
      );
      return rows.map(toProduct);
    },

    async savePrice(tx, { sku, price, version, updatedAt }) {
      const { affectedRows } = await tx.execute(
        "catalog.savePrice",
        `UPDATE products SET currency_code = ?, price_minor_units = ?, version = ?, updated_at = ?
         WHERE sku = ? AND version = ?`,
        [price.currencyCode, price.minorUnits, version, updatedAt, sku, version - 1n],
      );
      return affectedRows === 1;
    },
  };
}

/** A product of the first assortment. */
export interface ProductSeed {
  sku: string;
  name: string;
  description: string;
  currencyCode: string;
  minorUnits: bigint;
}

/** Adds the products that are not there yet; those that are stay as they are, so it may run at every start. */
export async function seedProducts(
  database: Database,
  products: readonly ProductSeed[],
  now = new Date(),
): Promise<void> {
  if (products.length === 0) return;
  await database.execute(
    "catalog.seedProducts",
    `INSERT INTO products (${COLUMNS}) VALUES ${products.map(() => "(?, ?, ?, ?, ?, 1, ?)").join(", ")}
     ON DUPLICATE KEY UPDATE sku = products.sku`,
    products.flatMap((p) => [p.sku, p.name, p.description, p.currencyCode, p.minorUnits, now]),
  );
}

function toProduct(row: ProductRow): Product {
  return {
    sku: row.sku,
    name: row.name,
    description: row.description,
    price: { currencyCode: row.currency_code, minorUnits: BigInt(row.price_minor_units) },
    version: BigInt(row.version),
    updatedAt: row.updated_at,
  };
}
