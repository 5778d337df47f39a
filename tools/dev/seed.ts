import { systemClock } from "@weft/mesh/contract";
import { bucketFor, createDatabase, newId } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { seedProducts } from "../../services/catalog/store.ts";
import { seedStock } from "../../services/inventory/store.ts";
import { createPasswords } from "../../services/user/passwords.ts";
import { seedAccounts } from "../../services/user/store.ts";
import { type HistoryPlaces, seedHistory } from "./history/seed-history.ts";
import { SEED_ACCOUNTS, SEED_PASSWORD, SEED_PRODUCTS } from "./seed-data.ts";

/** The schemas that the seed is written into. */
export interface SeedUrls {
  readonly catalog: string;
  readonly inventory: string;
  readonly user: string;
  /** Where customers and orders of the last thirty days go; none are written if this is left out. */
  readonly history?: HistoryUrls;
}

export interface HistoryUrls extends Record<HistorySchema, string> {
  readonly provider: HistoryPlaces["provider"];
}

/** Services, beside the ones above, that remember something of customers and orders. */
const HISTORY_SCHEMAS = ["notification", "payment", "order", "analytics", "recommendation"] as const;
type HistorySchema = (typeof HISTORY_SCHEMAS)[number];

/**
 * Writes the demo assortment and the accounts of staff into the services' own schemas, and what a shop looks back on if it is told where.
 * Needs their tables; leaves what is there as it is. Some seconds in an empty shop, a moment in a full one.
 */
export async function seed(urls: SeedUrls, clock = systemClock): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const telemetry = resources.use(createTelemetry({ service: "seed" }));
  const open = (url: string) =>
    resources.use(createDatabase({ url, telemetry, poolSize: 1, acquireTimeoutMs: 60_000 }));
  const { history } = urls;
  const [catalog, inventory, user] = [open(urls.catalog), open(urls.inventory), open(urls.user)];
  const products = SEED_PRODUCTS.map(({ stock: _, ...product }) => ({ ...product, currencyCode: "EUR" }));
  const stock = SEED_PRODUCTS.map((product) => ({ sku: product.sku, onHand: product.stock }));
  const accounts = SEED_ACCOUNTS.map((account) => ({ ...account, password: SEED_PASSWORD }));
  const newUserId = (email: string) => newId("usr", bucketFor(email), { clock, random: Math.random });
  const { hash } = await createPasswords(telemetry);
  const stocked = seedStock(inventory, stock);
  const past = async (at: HistoryUrls): Promise<void> => {
    const schemas = Object.fromEntries(HISTORY_SCHEMAS.map((name) => [name, open(at[name])]));
    const places = { ...(schemas as Record<HistorySchema, typeof user>), inventory, user, provider: at.provider };
    const passwordHash = () => hash(SEED_PASSWORD);
    await seedHistory(places, { products: SEED_PRODUCTS, passwordHash, stocked, clock });
  };
  await Promise.all([
    seedProducts(catalog, products),
    stocked,
    seedAccounts(user, accounts, { hash, newUserId }),
    history && past(history),
  ]);
}

/** Reads CATALOG__MYSQL_URL and the like; with PROVIDER_URL and PROVIDER_KEY a history is wanted, too. @throws Error naming what is missing */
function readUrls(env: Readonly<Record<string, string | undefined>>): SeedUrls {
  const read = (name: string): string => {
    const value = env[name];
    if (!value) throw new Error(`${name} must be set`);
    return value;
  };
  const url = (service: string) => read(`${service.toUpperCase()}__MYSQL_URL`);
  const urls = { catalog: url("catalog"), inventory: url("inventory"), user: url("user") };
  if (!env.PROVIDER_URL) return urls;
  const schemas = Object.fromEntries(HISTORY_SCHEMAS.map((name) => [name, url(name)])) as Record<HistorySchema, string>;
  return { ...urls, history: { ...schemas, provider: { url: env.PROVIDER_URL, key: read("PROVIDER_KEY") } } };
}

if (import.meta.main) {
  try {
    await seed(readUrls(process.env));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  }
}
