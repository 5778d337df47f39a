import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { createRedis } from "@weft/mesh/cache";
import { errorReason } from "@weft/mesh/contract";
import { createDatabase } from "@weft/mesh/data";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AnalyticsService } from "../../gen/shop/analytics/v1/analytics_pb.ts";
import { ProductViewedSchema } from "../../gen/shop/api/v1/events_pb.ts";
import { CartUpdatedSchema } from "../../gen/shop/cart/v1/events_pb.ts";
import {
  OrderCancelledSchema,
  OrderConfirmedSchema,
  OrderPaidSchema,
  OrderPlacedSchema,
} from "../../gen/shop/order/v1/events_pb.ts";
import { PaymentCapturedSchema, PaymentRefundedSchema } from "../../gen/shop/payment/v1/events_pb.ts";
import { UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { dayOf } from "./domain.ts";
import { start } from "./main.ts";

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let analytics: Client<typeof AnalyticsService>;
let operator: Client<typeof AnalyticsService>;

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(["analytics"]));
  resources.use(await start(loadConfig(mesh.env("analytics"))));
  analytics = await mesh.client(AnalyticsService, "analytics");
  operator = await mesh.client(AnalyticsService, "analytics", "operator");
});
afterAll(() => resources.disposeAsync());

const patience = { timeout: 15_000, interval: 100 };
const publish = <T extends DescMessage>(schema: T, message: MessageInitShape<T>) => mesh.publish(schema, message);
const confirm = (orderId: string, ...lines: [sku: string, quantity: number][]) =>
  publish(OrderConfirmedSchema, { orderId, lines: lines.map(([sku, quantity]) => ({ sku, quantity })) });
const topProducts = async (pageSize = 100) => {
  const { products, degraded } = await analytics.listTopProducts({ pageSize });
  return { top: products.map(({ sku, quantity }) => [sku, quantity]), degraded };
};
/** The leaderboard in Redis has caught up with that. */
const expectTop = (top: [sku: string, quantity: bigint][]) =>
  vi.waitFor(async () => expect(await topProducts()).toEqual({ top, degraded: false }), patience);
const violations = async (work: Promise<unknown>) => {
  const error = await work.then(() => undefined, ConnectError.from);
  expect(error?.code).toBe(Code.InvalidArgument);
  const details = error?.findDetails(BadRequestSchema) ?? [];
  return details.flatMap((detail) => detail.fieldViolations.map(({ field }) => field));
};

test("the day's funnel goes from views to paid orders", async () => {
  await Promise.all([
    ...[1, 2, 3].map(() => publish(ProductViewedSchema, { sku: "A" })),
    ...[1, 2].map((quantity) => publish(CartUpdatedSchema, { cartId: "c1", sku: "A", quantity })),
    publish(UserRegisteredSchema, { userId: "u1", email: "a@example.com" }),
    publish(OrderPlacedSchema, { orderId: "o1" }),
    publish(OrderPaidSchema, { orderId: "o1" }),
    publish(OrderPlacedSchema, { orderId: "o2" }),
    publish(OrderCancelledSchema, { orderId: "o2", lines: [{ sku: "A", quantity: 9 }] }),
  ]);
  await vi.waitFor(async () => {
    expect(await analytics.getFunnel({ day: dayOf(Date.now()) })).toMatchObject({
      ...{
        productViews: 3n,
        cartUpdates: 2n,
        ordersPlaced: 2n,
        ordersConfirmed: 0n,
        ordersPaid: 1n,
        ordersCancelled: 1n,
      },
    });
  }, patience);
  expect(await analytics.getFunnel({ day: "2020-02-29" })).toMatchObject({ productViews: 0n });
});

test("revenue by minute, captured and refunded", async () => {
  const amount = { currencyCode: "CHF", minorUnits: 1_999n };
  await publish(PaymentCapturedSchema, { orderId: "o1", amount });
  await publish(PaymentRefundedSchema, { orderId: "o1", amount: { ...amount, minorUnits: 99n } });
  const now = Date.now();
  const range = { from: timestampFromMs(now - 600_000), until: timestampFromMs(now + 600_000) };
  await vi.waitFor(async () => {
    const { minutes } = await analytics.listRevenue({ ...range, currencyCode: "CHF" });
    const sum = (of: "captured" | "refunded") =>
      minutes.reduce((total, minute) => total + (minute[of]?.minorUnits ?? 0n), 0n);
    expect([sum("captured"), sum("refunded")]).toEqual([1_999n, 99n]);
    expect(minutes.every(({ minute }) => minute && timestampDate(minute).getTime() % 60_000 === 0)).toBe(true);
  }, patience);
  expect((await analytics.listRevenue({ ...range, currencyCode: "EUR" })).minutes).toEqual([]);
});

test("the leaderboard: pages, cancellations, a Redis that is stopped or flushed, and its rebuild", async () => {
  await confirm("t1", ["A", 5], ["B", 3]);
  await confirm("t2", ["C", 3], ["A", 2], ["D", 1]);
  await expectTop([
    ["A", 7n],
    ["B", 3n],
    ["C", 3n],
    ["D", 1n],
  ]);

  const first = await analytics.listTopProducts({ pageSize: 2 });
  const second = await analytics.listTopProducts({ pageSize: 2, pageToken: first.nextPageToken });
  expect(second.products.map(({ sku }) => sku)).toEqual(["C", "D"]);
  expect(second.nextPageToken).toBe("");

  await publish(OrderCancelledSchema, { orderId: "t2" });
  await expectTop([
    ["A", 5n],
    ["B", 3n],
  ]);

  await mesh.redis.stop();
  await confirm("t3", ["E", 4]);
  await vi.waitFor(async () => {
    expect(await topProducts()).toEqual({
      top: [
        ["A", 5n],
        ["E", 4n],
        ["B", 3n],
      ],
      degraded: true,
    });
  }, patience);
  // A token of Redis' page leads on in the database's list.
  const { products } = await analytics.listTopProducts({ pageToken: first.nextPageToken });
  expect(products).toEqual([]);
  const away = await operator.rebuildLeaderboard({}).then(() => undefined, ConnectError.from);
  expect(away?.code).toBe(Code.Unavailable);

  // It comes back empty, as after a flush.
  await mesh.redis.start();
  await expectTop([
    ["A", 5n],
    ["E", 4n],
    ["B", 3n],
  ]);
  const database = await topProducts();
  expect(await operator.rebuildLeaderboard({})).toMatchObject({ products: 3n });
  expect(await topProducts()).toEqual(database);
});

test("a frozen Redis: the database answers, within the deadline", async () => {
  mesh.redis.kill("SIGSTOP");
  try {
    for (let i = 0; i < 8; i += 1) {
      const startedMs = performance.now();
      expect(await topProducts()).toMatchObject({ degraded: true });
      expect(performance.now() - startedMs).toBeLessThan(450);
    }
  } finally {
    mesh.redis.kill("SIGCONT");
  }
  await vi.waitFor(async () => expect((await topProducts()).degraded).toBe(false), patience);
});

describe("RebuildLeaderboard", () => {
  test("after FLUSHALL: what the database's own sums say, page after page, while orders go on", async () => {
    const telemetry = createTelemetry({ service: "test", logLevel: "error" });
    await using redis = createRedis({ url: mesh.redis.url, telemetry });
    await using database = createDatabase({ url: mesh.database("analytics").url, telemetry });
    await vi.waitFor(() => expect(redis.isReady()).toBe(true), patience);
    const sold = new Map((await topProducts()).top as [string, bigint][]);
    const orders = Array.from({ length: 60 }, (_, i) => ({
      orderId: `r${i}`,
      sku: `R${i % 23}`,
      quantity: 1 + (i % 4),
    }));
    const ordering = async () => {
      for (const { orderId, sku, quantity } of orders) {
        await confirm(orderId, [sku, quantity]);
        const isKept = orderId.at(-1) !== "7";
        if (!isKept) await publish(OrderCancelledSchema, { orderId });
        if (isKept) sold.set(sku, (sold.get(sku) ?? 0n) + BigInt(quantity));
      }
    };
    const flushing = async () => {
      for (let count = 0; count < 5; count += 1) {
        await redis.run("test.flush", (commands) => commands.flushall());
        await operator.rebuildLeaderboard({}).catch((error) => expect(error.code).toBe(Code.Aborted));
      }
    };
    await Promise.all([ordering(), flushing()]);
    const byRank = ([a, x]: [string, bigint], [b, y]: [string, bigint]) => Number(y - x) || (a < b ? -1 : 1);
    const expected = [...sold].toSorted(byRank);
    await expectTop(expected);

    await redis.run("test.flush", (commands) => commands.flushall());
    expect(await operator.rebuildLeaderboard({})).toMatchObject({ products: BigInt(expected.length) });
    const pages: [string, bigint][] = [];
    for (let pageToken = ""; ; ) {
      const { products, nextPageToken, degraded } = await analytics.listTopProducts({ pageSize: 7, pageToken });
      expect(degraded).toBe(false);
      pages.push(...products.map(({ sku, quantity }): [string, bigint] => [sku, quantity]));
      pageToken = nextPageToken;
      if (pageToken === "") break;
    }
    expect(pages).toEqual(expected);
    const sums = await database.query<{ sku: string; quantity: string }>(
      "test.sums",
      "SELECT sku, SUM(quantity) AS quantity FROM sales_daily GROUP BY sku HAVING SUM(quantity) > 0",
    );
    const ofDatabase = sums.map(({ sku, quantity }): [string, bigint] => [sku, BigInt(quantity)]);
    expect(ofDatabase.toSorted(byRank)).toEqual(pages);
  });

  test("is the operator's", async () => {
    const error = await analytics.rebuildLeaderboard({}).then(() => undefined, ConnectError.from);
    expect(error?.code).toBe(Code.PermissionDenied);
    expect(error && errorReason(error)).toBe("OPERATOR_ONLY");
  });
});

test("bad input is refused, naming the field", async () => {
  const at = (ms: number) => timestampFromMs(ms);
  const currencyCode = "EUR";
  expect(await violations(analytics.getFunnel({ day: "yesterday" }))).toEqual(["day"]);
  expect(await violations(analytics.getFunnel({ day: "2026-02-30" }))).toEqual(["day"]);
  expect(await violations(analytics.listRevenue({ from: at(0), currencyCode }))).toEqual(["until"]);
  expect(await violations(analytics.listRevenue({ from: at(1), until: at(0), currencyCode }))).toEqual(["until"]);
  expect(await violations(analytics.listRevenue({ from: at(0), until: at(86_400_001), currencyCode }))).toEqual([
    "until",
  ]);
  expect(await violations(analytics.listRevenue({ from: at(0), until: at(0), currencyCode: "eur" }))).toEqual([
    "currency_code",
  ]);
  expect(await violations(analytics.listTopProducts({ pageSize: 101 }))).toEqual(["page_size"]);
  expect(await violations(analytics.listTopProducts({ pageToken: "garbage" }))).toEqual(["page_token"]);
});
