import { createDatabase } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { seedProducts } from "../../services/catalog/store.ts";
import { seedStock } from "../../services/inventory/store.ts";
import { SEED_PRODUCTS } from "./seed-data.ts";

/** Writes the demo assortment into the services' own schemas. Needs their tables; leaves what is there as it is. */
export async function seed(urls: { readonly catalog: string; readonly inventory: string }): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service: "seed" }));
  const catalog = resources.use(createDatabase({ url: urls.catalog, telemetry, poolSize: 1 }));
  const inventory = resources.use(createDatabase({ url: urls.inventory, telemetry, poolSize: 1 }));
  const products = SEED_PRODUCTS.map(({ stock: _, ...product }) => ({ ...product, currencyCode: "EUR" }));
  await seedProducts(catalog, products);
  const stock = SEED_PRODUCTS.map((product) => ({ sku: product.sku, onHand: product.stock }));
  await seedStock(inventory, stock);
}

if (import.meta.main) {
  const { CATALOG__MYSQL_URL: catalog, INVENTORY__MYSQL_URL: inventory } = process.env;
  if (!catalog || !inventory) {
    process.stderr.write("CATALOG__MYSQL_URL and INVENTORY__MYSQL_URL must be set\n");
    process.exit(1);
  }
  await seed({ catalog, inventory });
}
