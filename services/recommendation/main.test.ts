import { type Client, Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { loadCredentials } from "@weft/mesh/security";
import { loadMeshConfig, serve } from "@weft/mesh/server";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { AnalyticsService } from "../../gen/shop/analytics/v1/analytics_pb.ts";
import { ProductViewedSchema } from "../../gen/shop/api/v1/events_pb.ts";
import { OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import { RecommendationService, RecommendationSource } from "../../gen/shop/recommendation/v1/recommendation_pb.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let recommendation: Client<typeof RecommendationService>;

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(["recommendation", "analytics", "order"]));
  resources.use(await start(loadConfig({ ...mesh.env("recommendation"), RECOMMENDED_SKUS: "F1,F2,F3,F4,F5" })));
  recommendation = await mesh.client(RecommendationService, "recommendation");
});
afterAll(() => resources.disposeAsync());

const patience = { timeout: 15_000, interval: 100 };
const confirm = (orderId: string, ...skus: string[]) =>
  mesh.publish(OrderConfirmedSchema, { orderId, lines: skus.map((sku) => ({ sku, quantity: 1 })) });
const recommended = async (sku: string, pageSize = 4) => {
  const { skus, source } = await recommendation.listRecommendations({ sku, pageSize });
  return [skus, source] as const;
};

/** Analytics, with a leaderboard that never changes. */
async function startAnalytics(top: readonly string[]): Promise<AsyncDisposable> {
  await using own = new AsyncDisposableStack();
  const config = loadMeshConfig(mesh.env("analytics"));
  const telemetry = own.use(createTelemetry({ service: "analytics", logLevel: "error" }));
  const credentials = own.use(await loadCredentials({ ...config.credentials, logger: telemetry.logger }));
  const products = top.map((sku) => ({ sku, quantity: 1n }));
  const routes = (router: ConnectRouter) => router.service(AnalyticsService, { listTopProducts: () => ({ products }) });
  own.use(await serve({ service: "analytics", config, routes, credentials, telemetry }));
  return own.move();
}

test("nothing known and analytics away: the fixed list, soon", async () => {
  const startedMs = performance.now();
  expect(await recommended("A")).toEqual([["F1", "F2", "F3", "F4"], RecommendationSource.STATIC]);
  expect(performance.now() - startedMs).toBeLessThan(450);
  expect((await recommended("F1", 0))[0]).toEqual(["F2", "F3", "F4", "F5"]);
});

test("analytics there: what is popular, without the product itself", async () => {
  resources.use(await startAnalytics(["P1", "P2", "P3", "P4", "P5"]));
  // Asked again some seconds after the failure.
  await vi.waitFor(
    async () => expect(await recommended("P1", 3)).toEqual([["P2", "P3", "P4"], RecommendationSource.POPULAR]),
    patience,
  );
});

test("what was bought together most often comes first, views decide between equals, popular fills up", async () => {
  await confirm("o1", "A", "B", "C", "D");
  await confirm("o2", "A", "D");
  await mesh.publish(ProductViewedSchema, { sku: "C" });
  await vi.waitFor(
    async () =>
      expect(await recommended("A", 5)).toEqual([["D", "C", "B", "P1", "P2"], RecommendationSource.BOUGHT_TOGETHER]),
    patience,
  );
  expect(await recommended("D", 1)).toEqual([["A"], RecommendationSource.BOUGHT_TOGETHER]);
});

test("the database frozen: what is popular, within the deadline", async () => {
  const { createConnection } = await import("mysql2/promise");
  const blocker = await createConnection(mesh.database("recommendation").url);
  try {
    await blocker.query("LOCK TABLES pairs WRITE");
    const startedMs = performance.now();
    expect(await recommended("A", 2)).toEqual([["P1", "P2"], RecommendationSource.POPULAR]);
    expect(performance.now() - startedMs).toBeLessThan(450);
  } finally {
    await blocker.end();
  }
});

test.each([
  ["sku", { sku: "no good" }],
  ["page_size", { sku: "A", pageSize: 21 }],
  ["page_token", { sku: "A", pageToken: "x" }],
])("a bad %s is refused, naming the field", async (field, request) => {
  const error = await recommendation.listRecommendations(request).then(() => undefined, ConnectError.from);
  const fields = error
    ?.findDetails(BadRequestSchema)
    .flatMap((detail) => detail.fieldViolations.map((one) => one.field));
  expect([error?.code, fields]).toEqual([Code.InvalidArgument, [field]]);
});
