import { systemClock } from "@weft/mesh/contract";
import { bucketFor, createDatabase, newId } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { seedProducts } from "../../services/catalog/store.ts";
import { seedStock } from "../../services/inventory/store.ts";
import { createPasswords } from "../../services/user/passwords.ts";
import { seedAccounts } from "../../services/user/store.ts";
import { SEED_ACCOUNTS, SEED_PASSWORD, SEED_PRODUCTS } from "./seed-data.ts";

/** Of which schemas the seed is written into. */
export interface SeedUrls {
  readonly catalog: string;
  readonly inventory: string;
  readonly user: string;
}

/**
 * Writes the demo assortment and the accounts of staff into the services' own schemas. Needs their tables; leaves what is there as it is.
 * Some seconds in an empty shop, a moment in a full one.
 */
export async function seed(urls: SeedUrls): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service: "seed" }));
  const open = (url: string) => resources.use(createDatabase({ url, telemetry, poolSize: 1 }));
  const products = SEED_PRODUCTS.map(({ stock: _, ...product }) => ({ ...product, currencyCode: "EUR" }));
  const stock = SEED_PRODUCTS.map((product) => ({ sku: product.sku, onHand: product.stock }));
  const accounts = SEED_ACCOUNTS.map((account) => ({ ...account, password: SEED_PASSWORD }));
  const newUserId = (email: string) => newId("usr", bucketFor(email), { clock: systemClock, random: Math.random });
  const { hash } = await createPasswords(telemetry);
  await Promise.all([
    seedProducts(open(urls.catalog), products),
    seedStock(open(urls.inventory), stock),
    seedAccounts(open(urls.user), accounts, { hash, newUserId }),
  ]);
}

if (import.meta.main) {
  const { CATALOG__MYSQL_URL: catalog, INVENTORY__MYSQL_URL: inventory, USER__MYSQL_URL: user } = process.env;
  if (!catalog || !inventory || !user) {
    process.stderr.write("CATALOG__MYSQL_URL, INVENTORY__MYSQL_URL and USER__MYSQL_URL must be set\n");
    process.exit(1);
  }
  await seed({ catalog, inventory, user });
}
