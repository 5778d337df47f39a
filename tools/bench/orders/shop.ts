import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { jetstreamManager } from "@nats-io/jetstream";
import { systemClock } from "@weft/mesh/contract";
import { newUlid } from "@weft/mesh/data";
import mysql, { type Connection, type RowDataPacket } from "mysql2/promise";
import { connect } from "nats";
import { createCustomer } from "../../dev/demo/customer.ts";
import { waitUntil } from "../../dev/processes/wait.ts";
import { SEED_PRODUCTS } from "../../dev/seed-data.ts";
import type { createStack, Stack } from "../../dev/stack.ts";

/** A whole shop that takes orders: a process for each service, engines of its own with durable settings. */
export interface BenchShop extends AsyncDisposable {
  readonly stack: Stack;
  /** The database's administrator. */
  readonly admin: Connection;
  /** Places an order through the public edge and answers with its id once it is CONFIRMED, or AWAITING_PAYMENT; else it is an error. */
  place(): Promise<string>;
  /** Orders so far that were not CONFIRMED when they were answered: payment had not answered within its 600 ms. */
  unconfirmed(): number;
  /** Returns when all orders are paid, all events are heard and all mails are sent. */
  settled(): Promise<void>;
  /** Returns when the sums are up to date, too: nothing is left that an order has caused. */
  quiet(): Promise<void>;
}

export interface BenchShopOptions {
  /** A checkout to start the shop of: this one if left out. */
  readonly repository?: string | undefined;
  /** Folder for a CPU profile of each service. */
  readonly profileDirectory?: string | undefined;
  /** Called when nothing but the database runs. */
  readonly onDatabase?: (admin: Connection) => Promise<void>;
}

const CUSTOMERS = 16;
const LINES = 2;
const QUANTITY_MAX = 3;
const CONNECTIONS_MAX = 64;
/** Enough for any run: what is measured is not a shop that runs out. */
const ON_HAND = 10_000_000;
const PASSWORD = "correct horse";
/** Part of the traces that is recorded, as in the other benches and in production. */
const SAMPLE_RATIO = "0.01";
const SETTLE_TIMEOUT_MS = 60_000;
const SETTLE_INTERVAL_MS = 20;
const here = fileURLToPath(new URL("../../../", import.meta.url));

/** Starts a shop and registers its customers. Disposing of it ends everything and leaves nothing. */
export async function startBenchShop(options: BenchShopOptions = {}): Promise<BenchShop> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "weft-bench-orders-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const { repository = here, profileDirectory } = options;
  const module = (await import(pathToFileURL(join(repository, "tools/dev/stack.ts")).href)) as {
    createStack: typeof createStack;
  };
  const stack = resources.use(
    await module.createStack({
      directory,
      cacheDirectory: join(repository, ".weft/cache"),
      env: {
        OTEL_TRACES_SAMPLER_ARG: SAMPLE_RATIO,
        ...(profileDirectory && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileDirectory}` }),
      },
    }),
  );
  await stack.start("mariadb");
  const { addresses } = stack;
  const admin = await mysql.createConnection(addresses.engines.mysql);
  resources.defer(() => admin.end());
  // The server's own count of what each user has done.
  await admin.query("SET GLOBAL userstat = ON");
  await options.onDatabase?.(admin);
  await stack.start();
  const prefix = addresses.database.schemaPrefix;
  await admin.query(`UPDATE ${prefix}_inventory.stock SET on_hand = ?`, [ON_HAND]);
  const till = await openTill(resources, addresses.edge);
  const events = await openEvents(resources, addresses.engines.nats);
  const none = async (sql: string): Promise<boolean> => {
    const [[row]] = await admin.query<RowDataPacket[]>(`SELECT EXISTS (${sql}) AS found`);
    return Number(row?.found) === 0;
  };
  const isSettled = async (): Promise<boolean> => {
    // In the order of cause and effect: what is over once does not begin again.
    const open = "'PLACED', 'RESERVED', 'AWAITING_PAYMENT', 'CONFIRMED'";
    if (!(await none(`SELECT 1 FROM ${prefix}_order.orders WHERE state IN (${open})`))) return false;
    for (const owner of ["order", "inventory", "payment", "user"]) {
      if (!(await none(`SELECT 1 FROM ${prefix}_${owner}.weft_outbox WHERE published_at IS NULL`))) return false;
    }
    if (!(await events.areHeard())) return false;
    return await none(`SELECT 1 FROM ${prefix}_notification.messages WHERE next_attempt_at IS NOT NULL`);
  };
  const isQuiet = async () =>
    (await isSettled()) && (await none(`SELECT 1 FROM ${prefix}_analytics.facts WHERE rolled_up = FALSE`));
  const wait = { timeoutMs: SETTLE_TIMEOUT_MS, intervalMs: SETTLE_INTERVAL_MS };
  const owned = resources.move();
  return {
    stack,
    admin,
    ...till,
    settled: () => waitUntil(isSettled, { what: "orders are not settled", ...wait }),
    quiet: () => waitUntil(isQuiet, { what: "the shop is not quiet", ...wait }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Customers who order, each a few of some products, over connections that stay open, in JSON. */
async function openTill(
  resources: AsyncDisposableStack,
  edge: string,
): Promise<Pick<BenchShop, "place" | "unconfirmed">> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
  resources.defer(() => agent.destroy());
  const tokens: string[] = [];
  for (let index = 0; index < CUSTOMERS; index += 1) {
    const { accounts } = createCustomer(edge);
    const email = `${randomUUID()}@example.com`;
    await accounts.register({ email, password: PASSWORD, displayName: "Ada" });
    tokens.push((await accounts.logIn({ email, password: PASSWORD })).accessToken);
  }
  const url = new URL("/shop.api.v1.OrderService/PlaceOrder", edge);
  let placed = 0;
  let unconfirmed = 0;
  const place = async (): Promise<string> => {
    placed += 1;
    const wish = {
      idempotencyKey: `bench-${newUlid({ clock: systemClock, random: Math.random })}`,
      paymentMethod: "tok_visa",
      lines: linesOf(placed),
    };
    const body = Buffer.from(JSON.stringify(wish));
    const headers = {
      "content-type": "application/json",
      "content-length": body.length,
      authorization: `Bearer ${tokens[placed % tokens.length]}`,
    };
    const text = await post(url, agent, headers, body);
    const { order } = JSON.parse(text) as { order?: { orderId: string; state: string } };
    if (order?.state === "ORDER_STATE_AWAITING_PAYMENT") unconfirmed += 1;
    else if (order?.state !== "ORDER_STATE_CONFIRMED") throw new Error(`an order was not confirmed: ${text}`);
    return order.orderId;
  };
  return { place, unconfirmed: () => unconfirmed };
}

/** All over the assortment, never the same product twice in one order. */
function linesOf(order: number): { sku: string; quantity: number }[] {
  return Array.from({ length: LINES }, (_, line) => {
    const { sku = "" } = SEED_PRODUCTS[(order * 7_919 + line * 3_571) % SEED_PRODUCTS.length] ?? {};
    return { sku, quantity: 1 + ((order + line) % QUANTITY_MAX) };
  });
}

function post(url: URL, agent: Agent, headers: Record<string, string | number>, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: "POST", agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`the edge answered ${response.statusCode}: ${text}`));
      });
    });
    call.on("error", reject);
    call.end(body);
  });
}

/** Whether every durable consumer has acknowledged every event. */
async function openEvents(resources: AsyncDisposableStack, natsUrl: string) {
  const connection = await connect({ servers: natsUrl });
  resources.defer(() => connection.close());
  const manager = await jetstreamManager(connection);
  return {
    async areHeard(): Promise<boolean> {
      for await (const { config, num_pending: pending, num_ack_pending: unacknowledged } of manager.consumers.list(
        "EVENTS",
      )) {
        if (config.durable_name !== undefined && pending + unacknowledged > 0) return false;
      }
      return true;
    },
  };
}
