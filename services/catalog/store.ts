import { type Database, isDuplicateKey, type Transaction } from "@weft/mesh/data";
import type { Product } from "./domain.ts";
import type { ProductStore } from "./usecases.ts";

const columns = "sku, name, description, category, currency_code, price_minor_units, version, updated_at";
const matches = "MATCH (name, description) AGAINST (? IN NATURAL LANGUAGE MODE)";

interface ProductRow {
  sku: string;
  name: string;
  description: string;
  category: string;
  currency_code: string;
  price_minor_units: string;
  version: string;
  updated_at: Date;
}

interface CategoryRow {
  name: string;
  product_count: string;
}

/** Products in the table `products`, how many each category has in `categories`. */
export function createProductStore(database: Database): ProductStore {
  async function findProducts(skus: readonly string[]): Promise<Product[]> {
    if (skus.length === 0) return [];
    const rows = await database.query<ProductRow>(
      "catalog.findProducts",
      `SELECT ${columns} FROM products WHERE sku IN (${skus.map(() => "?").join(", ")})`,
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

    // Every SKU comes after the empty one.
    async listProducts({ category, after = "", limit }) {
      const rows =
        category === undefined
          ? await database.query<ProductRow>(
              "catalog.listProducts",
              `SELECT ${columns} FROM products WHERE sku > ? ORDER BY sku LIMIT ?`,
              [after, limit],
            )
          : await database.query<ProductRow>(
              "catalog.listProductsOfCategory",
              `SELECT ${columns} FROM products WHERE category = ? AND sku > ? ORDER BY sku LIMIT ?`,
              [category, after, limit],
            );
      return rows.map(toProduct);
    },

    async searchProducts(words, offset, limit) {
      const text = words.join(" ");
      const rows = await database.query<ProductRow>(
        "catalog.searchProducts",
        `SELECT ${columns} FROM products WHERE ${matches} ORDER BY ${matches} DESC, sku LIMIT ? OFFSET ?`,
        [text, text, limit, offset],
      );
      return rows.map(toProduct);
    },

    async listCategories(limit) {
      const rows = await database.query<CategoryRow>(
        "catalog.listCategories",
        "SELECT name, product_count FROM categories WHERE product_count > 0 ORDER BY name LIMIT ?",
        [limit],
      );
      return rows.map(({ name, product_count }) => ({ name, productCount: BigInt(product_count) }));
    },

    async lockProduct(tx, sku) {
      const sql = `SELECT ${columns} FROM products WHERE sku = ? FOR UPDATE`;
      const [row] = await tx.query<ProductRow>("catalog.lockProduct", sql, [sku]);
      return row?.sku === sku ? toProduct(row) : undefined;
    },

    async saveProduct(tx, before, after) {
      const { sku, name, description, category, price, version, updatedAt } = after;
      await tx.execute(
        "catalog.saveProduct",
        `UPDATE products SET name = ?, description = ?, category = ?, currency_code = ?, price_minor_units = ?,
           version = ?, updated_at = ?
         WHERE sku = ?`,
        [name, description, category, price.currencyCode, price.minorUnits, version, updatedAt, sku],
      );
      if (category !== before.category) await moveBetween(tx, before.category, category);
    },
  };
}

/** Counts one product from one category into another. */
async function moveBetween(tx: Transaction, from: string, to: string): Promise<void> {
  const changes: [category: string, by: number][] = [
    [from, -1],
    [to, 1],
  ];
  // By name, so that all take their row locks in one order.
  changes.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [category, by] of changes) await count(tx, category, by);
}

async function count(tx: Transaction, category: string, by: number): Promise<void> {
  const { affectedRows } = await tx.execute(
    "catalog.countInCategory",
    "UPDATE categories SET product_count = product_count + ? WHERE name = ?",
    [by, category],
  );
  if (affectedRows === 1) return;
  await tx.execute(
    "catalog.addCategory",
    "INSERT INTO categories (name, product_count) VALUES (?, ?) ON DUPLICATE KEY UPDATE product_count = product_count + VALUES(product_count)",
    [category, by],
  );
}

/** A product of the first assortment. */
export interface ProductSeed {
  sku: string;
  name: string;
  description: string;
  category: string;
  currencyCode: string;
  minorUnits: bigint;
}

/** Products in one statement. */
const seedBatchSize = 500;
const seedAttemptsMax = 3;

/**
 * Adds the products that are not there yet; those that are stay as they are, so it may run at every start. Answers how many it has added.
 */
export async function seedProducts(
  database: Database,
  products: readonly ProductSeed[],
  now = new Date(),
): Promise<number> {
  let added = 0;
  for (let i = 0; i < products.length; i += seedBatchSize) {
    const batch = products.slice(i, i + seedBatchSize);
    added += await unlessOvertaken(() =>
      database.transaction("catalog.seedProducts", (tx) => addMissing(tx, batch, now)),
    );
  }
  return added;
}

/** Another seeder may add a product between our look and our insert: then we look again. */
async function unlessOvertaken<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isDuplicateKey(error) || attempt >= seedAttemptsMax) throw error;
    }
  }
}

async function addMissing(tx: Transaction, batch: readonly ProductSeed[], now: Date): Promise<number> {
  const marks = batch.map(() => "?").join(", ");
  const there = await tx.query<Pick<ProductRow, "sku">>(
    "catalog.findSeeded",
    `SELECT sku FROM products WHERE sku IN (${marks})`,
    batch.map(({ sku }) => sku),
  );
  const skus = new Set(there.map(({ sku }) => sku));
  const missing = batch.filter(({ sku }) => !skus.has(sku));
  if (missing.length === 0) return 0;
  await tx.execute(
    "catalog.seedProducts",
    `INSERT INTO products (${columns}) VALUES ${missing.map(() => "(?, ?, ?, ?, ?, ?, 1, ?)").join(", ")}`,
    missing.flatMap((p) => [p.sku, p.name, p.description, p.category, p.currencyCode, p.minorUnits, now]),
  );
  const counts = new Map<string, number>();
  for (const { category } of missing) counts.set(category, (counts.get(category) ?? 0) + 1);
  for (const [category, by] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) await count(tx, category, by);
  return missing.length;
}

function toProduct(row: ProductRow): Product {
  return {
    sku: row.sku,
    name: row.name,
    description: row.description,
    category: row.category,
    price: { currencyCode: row.currency_code, minorUnits: BigInt(row.price_minor_units) },
    version: BigInt(row.version),
    updatedAt: row.updated_at,
  };
}
