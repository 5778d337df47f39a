import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { runAs } from "@weft/mesh/context";
import { type Connection, createConnection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AnalyticsService } from "../../../gen/shop/analytics/v1/analytics_pb.ts";
import { type Order, OrderState } from "../../../gen/shop/api/v1/order_pb.ts";
import { OrderService } from "../../../gen/shop/order/v1/order_pb.ts";
import { run } from "../../cli/cli.ts";
import { createCustomer } from "../demo/customer.ts";
import { type ExplainRules, explainAll, findSmallTables, findUnseen } from "../explain/explain-all.ts";
import { endRecording, type Recording, startRecording } from "../explain/general-log.ts";
import { readStatementSites } from "../explain/statement-names.ts";
import { REGULAR } from "../history/customers.ts";
import { HISTORY_DAYS } from "../history/plan.ts";
import { SEED_PASSWORD } from "../seed-data.ts";
import { SCHEMA_OWNERS } from "../stack/environment.ts";
import type { ServiceName } from "../stack/ports.ts";
import { expectBooksToBalance } from "./books.ts";
import { fillTables } from "./fill-tables.ts";
import { createOperator, type Operator } from "./operator.ts";
import { type Shop, startShop } from "./shop.ts";
import { tourTheShop } from "./tour.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const DAY_MS = 86_400_000;

const rules: ExplainRules = {
  // One row a job, a category, a migration; the window is one row.
  fixedTables: ["jobs", "categories", "weft_migrations", "sales_window"],
  sortedRowsMax: 1_000,
  rowsMin: 390,
  accepted: {
    "catalog.searchProducts": "what matches is sorted by how well it matches; FULLTEXT knows no other way",
  },
};

let shop: Shop;
let operator: Operator;
let server: Connection;
let recording: Recording;
let mailsAtStart: unknown[];

beforeAll(async () => {
  // Stock that is held for an order which nobody has placed is on sale again soon.
  const env = { INVENTORY__RESERVATION_TTL_MS: "1000", INVENTORY__RESERVATION_SWEEP_INTERVAL_MS: "200" };
  shop = await startShop("single", env, {
    history: true,
    async onDatabase({ addresses }) {
      server = await createConnection(addresses.engines.mysql);
      await startRecording(server);
    },
  });
  operator = await createOperator(shop.stack.addresses);
  mailsAtStart = await shop.mails();
}, 180_000);
afterAll(async () => {
  await server?.end();
  await operator?.[Symbol.asyncDispose]();
  await shop?.[Symbol.asyncDispose]();
});

const until = async (what: string, isTrue: () => Promise<boolean>): Promise<void> => {
  await expect.poll(isTrue, { message: what, timeout: 20_000, interval: 100 }).toBe(true);
};

/** Nothing is due, nothing unpublished. */
async function isAtRest(): Promise<boolean> {
  const due = "WHERE next_attempt_at IS NOT NULL";
  const looks: [service: string, sql: string][] = [
    ["order", `SELECT 1 FROM sagas ${due}`],
    ["payment", `SELECT 1 FROM payments ${due}`],
    ...["user", "catalog", "inventory", "order", "payment"].map((service): [string, string] => [
      service,
      "SELECT 1 FROM weft_outbox WHERE published_at IS NULL",
    ]),
  ];
  const found = await Promise.all(looks.map(([service, sql]) => shop.rows(service, sql)));
  return found.flat().length === 0;
}

describe("every SQL statement of the product", () => {
  test("is run by a tour of the shop, and by nothing but @weft/mesh/data", { timeout: 120_000 }, async () => {
    await tourTheShop({ shop, operator, server, until });
    // Whoever drains gives back what he has, and whoever starts looks whether the shop has its past.
    await shop.stack.stop("single");
    await shop.stack.start();
    recording = await endRecording(server, "shop");
    expect(findUnseen(await readStatementSites(REPOSITORY), recording)).toEqual([]);
  });
});

describe("a shop with thirty days behind it", () => {
  test("wrote to nobody of what is long past", () => {
    expect(mailsAtStart).toEqual([]);
  });

  test("lets its regular log in, look back page by page, and change his mind about what is not packed yet", async () => {
    const regular = createCustomer(shop.stack.addresses.edge);
    const { email } = REGULAR;
    regular.use((await regular.accounts.logIn({ email, password: SEED_PASSWORD })).accessToken);
    const seen: Order[] = [];
    for (let pageToken = ""; ; ) {
      const page = await regular.orders.listOrders({ pageSize: 10, pageToken });
      for (const { orderId } of page.orders) seen.push((await regular.orders.getOrder({ orderId })).order as Order);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(seen.length).toBeGreaterThan(10);
    expect(seen.filter(({ state }) => state === OrderState.DELIVERED).length).toBeGreaterThan(5);
    const [paid] = await shop.rows<{ orderId: string; userId: string }>(
      "order",
      "SELECT order_id AS orderId, user_id AS userId FROM orders WHERE state = 'PAID' AND state_since < NOW() - INTERVAL 15 MINUTE LIMIT 1",
    );
    if (paid === undefined) throw new Error("everything is packed");
    const { orderId, userId } = paid;
    const inside = operator.client(OrderService, "order");
    await runAs({ endUser: { userId, scopes: ["customer"] } }, () => inside.cancelOrder({ orderId }));
    await until("the money is given back", async () => {
      const entries = (await shop.ledger()).filter(({ reference }) => reference === orderId);
      return entries.map(({ type }) => type).join() === "authorize,capture,refund";
    });
  });

  test("has books that balance", async () => {
    expect((await shop.rows("order", "SELECT 1 FROM orders")).length).toBeGreaterThan(2_000);
    await until("all is at rest", isAtRest);
    await expectBooksToBalance(shop);
  });

  test("has a read model that is the fold of all events: made anew, it is the same", async () => {
    const all = "SELECT * FROM order_history ORDER BY order_id";
    const before = await shop.rows("order", all);
    await operator.client(OrderService, "order").rebuildHistory({});
    expect(await shop.rows("order", all)).toEqual(before);
    const different = await shop.rows(
      "order",
      `SELECT o.order_id FROM orders AS o LEFT JOIN order_history AS h ON h.order_id = o.order_id AND h.user_id = o.user_id
       WHERE h.version IS NULL OR h.version <> o.version OR h.state <> o.state OR h.total_minor_units <> o.total_minor_units`,
    );
    expect(different).toEqual([]);
  });
});

describe("an operator with `weft events`", () => {
  const weft = async (service: ServiceName, command: string, ...args: string[]) => {
    const { services, certs } = shop.stack.addresses;
    const where = ["--addr", services[service].grpc, "--certs", join(certs, "operator")];
    let stdout = "";
    let stderr = "";
    const exitCode = await run(["events", command, service, ...args, ...where], {
      stdin: (async function* () {})(),
      stdout: (text) => {
        stdout += text;
      },
      stderr: (text) => {
        stderr += text;
      },
      workingDirectory: "/",
    });
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    return stdout;
  };

  test("makes a read model anew that somebody has dropped, and the day's figures", async () => {
    const all = "SELECT * FROM order_history ORDER BY order_id";
    const before = await shop.rows("order", all);
    await server.query("DROP TABLE shop_order.order_history");
    expect(await weft("order", "replay", "order_history")).toMatch(
      /order_history: made anew of [\d,]+ events, [\d,]+ rows/,
    );
    expect(await shop.rows("order", all)).toEqual(before);
    expect(await weft("order", "projections")).toMatch(
      /order_history +order_events +20.* by spiffe:\/\/weft\.local\/operator/,
    );
    expect(await weft("analytics", "replay", "sums", "--reason", "a look")).toMatch(/sums: made anew of/);
    const pairs = "SELECT * FROM pairs ORDER BY sku, other";
    const together = await shop.rows("recommendation", pairs);
    await server.query("DELETE FROM shop_recommendation.pairs");
    expect(await weft("recommendation", "replay", "pairs")).toMatch(/pairs: made anew of [\d,]+ events/);
    expect(await shop.rows("recommendation", pairs)).toEqual(together);
    expect(await weft("recommendation", "projections")).toMatch(/views .*cannot be made anew: ProductViewed/);
  });

  test("finds that all that is stored can be read, and publishes again what there is of an hour", async () => {
    for (const service of ["user", "catalog", "inventory", "order", "payment"] as const) {
      expect(await weft(service, "verify")).toMatch(/ 0 cannot be read without loss\n$/);
    }
    const hour = ["--since", "1h", "--subject", "shop.order.>"];
    const counted = await weft("order", "replay", ...hour, "--dry-run");
    const [, count] = /order: ([\d,]+) events would be published again\n$/.exec(counted) ?? [];
    expect(Number(count?.replaceAll(",", ""))).toBeGreaterThan(10);
    expect(await weft("order", "replay", ...hour)).toMatch(new RegExp(`order: ${count} events published again\\n$`));
    await until("all is at rest", isAtRest);
  });
});

describe("what analytics and recommendation say of it adds up:", () => {
  const analytics = () => operator.client(AnalyticsService, "analytics");
  const days = Array.from({ length: HISTORY_DAYS + 1 }, (_, ago) =>
    new Date(Date.now() - ago * DAY_MS).toISOString().slice(0, 10),
  );

  test("the funnel, day by day", async () => {
    await until("all facts are in the sums", async () => {
      const sql = "SELECT COUNT(*) AS n FROM facts WHERE rolled_up = FALSE";
      return Number((await shop.rows<{ n: string }>("analytics", sql))[0]?.n) === 0;
    });
    const rows = await shop.rows<{ day: string; placed: string }>(
      "order",
      "SELECT CAST(DATE(occurred_at) AS CHAR) AS day, COUNT(*) AS placed FROM order_events WHERE version = 1 GROUP BY 1",
    );
    const placed = new Map(rows.map((row) => [row.day, BigInt(row.placed)]));
    for (const day of days) {
      const funnel = await analytics().getFunnel({ day });
      expect(funnel.ordersPlaced, day).toBe(placed.get(day) ?? 0n);
      if (funnel.ordersPlaced > 40n) expect(funnel.productViews).toBeGreaterThan(funnel.cartUpdates);
    }
  });

  test("revenue, to the cent of the provider's ledger", async () => {
    const revenue = async (): Promise<bigint> => {
      let sum = 0n;
      for (const day of days) {
        const from = timestampFromMs(Date.parse(day));
        const until = timestampFromMs(Date.parse(day) + DAY_MS);
        const { minutes } = await analytics().listRevenue({ from, until, currencyCode: "EUR" });
        for (const { captured, refunded } of minutes)
          sum += (captured?.minorUnits ?? 0n) - (refunded?.minorUnits ?? 0n);
      }
      return sum;
    };
    const sign = { authorize: 0n, capture: 1n, void: 0n, refund: -1n };
    const paid = (await shop.ledger()).reduce((sum, { type, amount }) => sum + sign[type] * BigInt(amount), 0n);
    // Sums follow the events by about a second.
    await expect.poll(revenue, { timeout: 20_000 }).toBe(paid);
  });

  test("the leaderboard, and what is bought together", async () => {
    const firstDay = days.at(-2) ?? "";
    const orders = await shop.rows<{ order_lines: string; state: string; confirmedOn: string }>(
      "order",
      `SELECT o.order_lines, o.state, CAST(DATE(e.occurred_at) AS CHAR) AS confirmedOn FROM orders AS o
       JOIN order_events AS e ON e.order_id = o.order_id AND e.type = 'shop.order.v1.OrderConfirmed'`,
    );
    const sold = new Map<string, bigint>();
    const pairs = new Map<string, number>();
    for (const { order_lines, state, confirmedOn } of orders) {
      const lines: { sku: string; quantity: number }[] = JSON.parse(order_lines);
      for (const { sku, quantity } of lines) {
        if (state !== "CANCELLED" && confirmedOn >= firstDay) sold.set(sku, (sold.get(sku) ?? 0n) + BigInt(quantity));
        for (const { sku: other } of lines) {
          if (sku !== other) pairs.set(`${sku} ${other}`, (pairs.get(`${sku} ${other}`) ?? 0) + 1);
        }
      }
    }
    const leaderboard = async (): Promise<Map<string, bigint>> => {
      const top = new Map<string, bigint>();
      for (let pageToken = ""; ; ) {
        const page = await analytics().listTopProducts({ pageSize: 100, pageToken });
        for (const { sku, quantity } of page.products) top.set(sku, quantity);
        pageToken = page.nextPageToken;
        if (pageToken === "") return top;
      }
    };
    await expect.poll(leaderboard, { timeout: 20_000 }).toEqual(sold);
    const [best = ["", 0]] = [...pairs].sort(([, a], [, b]) => b - a);
    const [sku = ""] = best[0].split(" ");
    const ofSku = [...pairs].filter(([pair]) => pair.startsWith(`${sku} `)).sort(([, a], [, b]) => b - a);
    const others = ofSku.filter(([, count]) => count === best[1]).map(([pair]) => pair.split(" ")[1]);
    const page = await createCustomer(shop.stack.addresses.edge).catalog.getProductPage({ sku });
    expect(others).toContain(page.recommendations[0]?.sku);
  });
});

describe("over the data of thirty days and more", () => {
  test("no statement reads the whole of a table that grows, or sorts without a bound", {
    timeout: 60_000,
  }, async () => {
    await shop.stack.stop("single");
    await fillTables(server);
    const schemas = SCHEMA_OWNERS.map((service) => `shop_${service}`);
    expect(await findSmallTables(server, schemas, rules)).toEqual([]);
    const { problems, accepted, count } = await explainAll(server, recording, rules);
    expect(problems).toEqual([]);
    expect(accepted, "what is accepted happens").toEqual(Object.keys(rules.accepted));
    expect(count).toBeGreaterThan(150);
  });
});
