import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, Code } from "@connectrpc/connect";
import { createDatabase, type Database } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { OrderCancelledSchema, OrderConfirmedSchema } from "../../gen/shop/order/v1/events_pb.ts";
import {
  type PaymentAuthorized,
  PaymentAuthorizedSchema,
  type PaymentCaptured,
  PaymentCapturedSchema,
  type PaymentFailed,
  PaymentFailedSchema,
  type PaymentRefunded,
  PaymentRefundedSchema,
} from "../../gen/shop/payment/v1/events_pb.ts";
import { PaymentService, PaymentState } from "../../gen/shop/payment/v1/payment_pb.ts";
import type { LedgerEntry } from "../../tools/dev/outside/ledger.ts";
import type { ProviderFault } from "../../tools/dev/outside/provider.ts";
import { startPaymentProvider } from "../../tools/dev/payment-provider.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";

const resources = new AsyncDisposableStack();
const key = "sk_test";
const amount = { currencyCode: "EUR", minorUnits: 1_999n };
let mesh: TestMesh;
let providerUrl: string;
let payment: Client<typeof PaymentService>;
let database: Database;
let told: {
  authorized: readonly PaymentAuthorized[];
  captured: readonly PaymentCaptured[];
  failed: readonly PaymentFailed[];
  refunded: readonly PaymentRefunded[];
};

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), "weft-ledger-"));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  const provider = { port: 0, key, ledgerFile: join(directory, "ledger.jsonl") };
  // Tests ask for delays in real milliseconds.
  providerUrl = `http://127.0.0.1:${resources.use(await startPaymentProvider(provider)).port}`;
  mesh = resources.use(await createTestMesh(["payment"]));
  const env = { ...mesh.env("payment"), PAYMENT_PROVIDER_URL: providerUrl, PAYMENT_PROVIDER_KEY: key };
  resources.use(await start(loadConfig(env)));
  payment = await mesh.client(PaymentService, "payment", "order");
  told = {
    authorized: await mesh.watch(PaymentAuthorizedSchema),
    captured: await mesh.watch(PaymentCapturedSchema),
    failed: await mesh.watch(PaymentFailedSchema),
    refunded: await mesh.watch(PaymentRefundedSchema),
  };
  const telemetry = createTelemetry({ service: "test", logLevel: "error" });
  database = resources.use(createDatabase({ url: mesh.database("payment").url, telemetry }));
});
afterAll(() => resources.disposeAsync());
afterEach(() => provide("DELETE", "/v1/faults"));

async function provide(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(providerUrl + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return await response.json();
}
const fault = (what: ProviderFault) => provide("POST", "/v1/faults", what);

/** What the provider has done with the order's money, oldest first. */
async function ledgerOf(orderId: string): Promise<string[]> {
  const { entries } = (await provide("GET", "/v1/ledger")) as { entries: LedgerEntry[] };
  return entries.filter(({ reference }) => reference === orderId).map(({ type }) => type);
}

const authorize = (orderId: string, paymentMethod = "tok_visa", timeoutMs = 2_000) =>
  payment.authorizePayment({ orderId, amount, paymentMethod }, { timeoutMs });
const stateOf = async (orderId: string) => (await payment.getPayment({ orderId })).payment?.state;
const becomes = (orderId: string, state: PaymentState) =>
  vi.waitFor(async () => expect(await stateOf(orderId)).toBe(state), { timeout: 15_000, interval: 100 });
const of = (orderId: string) => (event: { orderId: string }) => event.orderId === orderId;
const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, 15_000);

describe("AuthorizePayment", () => {
  test("asked twice authorizes once, and tells of it once", async () => {
    const first = await authorize("ord-twice");
    const second = await authorize("ord-twice");
    expect(first.payment).toMatchObject({ state: PaymentState.AUTHORIZED, amount });
    expect(second.payment?.providerReference).toBe(first.payment?.providerReference);
    await eventually(() => expect(told.authorized.filter(of("ord-twice"))).toMatchObject([{ amount }]));
    expect(await ledgerOf("ord-twice")).toEqual(["authorize"]);
  });

  test("ten at once authorize once", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => authorize("ord-ten")));
    expect(new Set(answers.map((answer) => answer.payment?.providerReference)).size).toBe(1);
    expect(await ledgerOf("ord-ten")).toEqual(["authorize"]);
  });

  test("a decline is an answer, with its reason", async () => {
    const { payment: declined } = await authorize("ord-declined", "tok_declined");
    expect(declined).toMatchObject({ state: PaymentState.DECLINED, reason: "insufficient funds" });
    await eventually(() =>
      expect(told.failed.filter(of("ord-declined"))).toMatchObject([{ reason: "insufficient funds" }]),
    );
  });

  test("another amount for the same order is FAILED_PRECONDITION", async () => {
    await authorize("ord-amount");
    const other = payment.authorizePayment({
      orderId: "ord-amount",
      amount: { ...amount, minorUnits: 1n },
      paymentMethod: "tok_visa",
    });
    await expect(other).rejects.toMatchObject({ code: Code.FailedPrecondition });
  });

  test("a lost reply is UNAVAILABLE; asking finds the authorization, and nothing is charged twice", async () => {
    await fault({ kind: "lost_reply", operation: "authorize", count: 1 });
    await expect(authorize("ord-lost")).rejects.toMatchObject({ code: Code.Unavailable });
    expect(await stateOf("ord-lost")).toBe(PaymentState.AUTHORIZED);
    expect((await authorize("ord-lost")).payment?.state).toBe(PaymentState.AUTHORIZED);
    expect(await ledgerOf("ord-lost")).toEqual(["authorize"]);
    await eventually(() => expect(told.authorized.filter(of("ord-lost"))).toHaveLength(1));
  });

  test("a lost reply that nobody asks about is found by the resolver", async () => {
    await fault({ kind: "lost_reply", operation: "authorize", count: 1 });
    await expect(authorize("ord-resolved")).rejects.toMatchObject({ code: Code.Unavailable });
    await eventually(() => expect(told.authorized.filter(of("ord-resolved"))).toHaveLength(1));
  });

  test("a caller whose time runs out is answered then, and the provider's late answer is written down", async () => {
    await fault({ kind: "delay", operation: "authorize", count: 1, delay_ms: 900 });
    const startMs = performance.now();
    await expect(authorize("ord-late", "tok_visa", 300)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(performance.now() - startMs).toBeLessThan(700);
    await eventually(() => expect(told.authorized.filter(of("ord-late"))).toHaveLength(1));
    expect(await ledgerOf("ord-late")).toEqual(["authorize"]);
  });
});

test("GetPayment of an order that nobody tried to pay is NOT_FOUND", async () => {
  await expect(payment.getPayment({ orderId: "ord-none" })).rejects.toMatchObject({ code: Code.NotFound });
});

describe("a confirmed order", () => {
  test("is captured, once", async () => {
    await authorize("ord-captured");
    await mesh.publish(OrderConfirmedSchema, { orderId: "ord-captured" });
    await mesh.publish(OrderConfirmedSchema, { orderId: "ord-captured" });
    await eventually(() => expect(told.captured.filter(of("ord-captured"))).toMatchObject([{ amount }]));
    expect(await stateOf("ord-captured")).toBe(PaymentState.CAPTURED);
    expect(await ledgerOf("ord-captured")).toEqual(["authorize", "capture"]);
  });

  test.each(["lost_reply", "error"] as const)("is captured once when the capture meets: %s", async (kind) => {
    const orderId = `ord-capture-${kind}`;
    await authorize(orderId);
    await fault({ kind, operation: "capture", count: 2 });
    await mesh.publish(OrderConfirmedSchema, { orderId });
    await eventually(() => expect(told.captured.filter(of(orderId))).toHaveLength(1));
    expect(await ledgerOf(orderId)).toEqual(["authorize", "capture"]);
  });

  test("whose capture is finally refused fails, and gives the authorization back when the order is cancelled", async () => {
    await authorize("ord-refused", "tok_capture_fails");
    await mesh.publish(OrderConfirmedSchema, { orderId: "ord-refused" });
    await eventually(() =>
      expect(told.failed.filter(of("ord-refused"))).toMatchObject([{ reason: "authorization expired" }]),
    );
    expect(await stateOf("ord-refused")).toBe(PaymentState.FAILED);
    await mesh.publish(OrderCancelledSchema, { orderId: "ord-refused" });
    await becomes("ord-refused", PaymentState.VOIDED);
    expect(await ledgerOf("ord-refused")).toEqual(["authorize", "void"]);
  });
});

describe("a cancelled order", () => {
  test("gives its authorization back, whatever happens to the reply", async () => {
    await authorize("ord-voided");
    await fault({ kind: "lost_reply", operation: "void", count: 1 });
    await mesh.publish(OrderCancelledSchema, { orderId: "ord-voided" });
    await becomes("ord-voided", PaymentState.VOIDED);
    expect(await ledgerOf("ord-voided")).toEqual(["authorize", "void"]);
  });

  test.each(["lost_reply", "error"] as const)(
    "gives captured money back once, when the refund meets: %s",
    async (kind) => {
      const orderId = `ord-refund-${kind}`;
      await authorize(orderId);
      await mesh.publish(OrderConfirmedSchema, { orderId });
      await becomes(orderId, PaymentState.CAPTURED);
      await fault({ kind, operation: "refund", count: 2 });
      await mesh.publish(OrderCancelledSchema, { orderId });
      await mesh.publish(OrderCancelledSchema, { orderId });
      await becomes(orderId, PaymentState.REFUNDED);
      await eventually(() => expect(told.refunded.filter(of(orderId))).toMatchObject([{ amount }]));
      expect(told.captured.filter(of(orderId))).toHaveLength(1);
      expect(await ledgerOf(orderId)).toEqual(["authorize", "capture", "refund"]);
    },
  );

  test("ends without the money where it was captured while the order was being cancelled", async () => {
    await authorize("ord-capture-race");
    await fault({ kind: "delay", operation: "capture", count: 1, delay_ms: 1_000 });
    await mesh.publish(OrderConfirmedSchema, { orderId: "ord-capture-race" });
    await mesh.publish(OrderCancelledSchema, { orderId: "ord-capture-race" });
    await eventually(async () =>
      expect([PaymentState.VOIDED, PaymentState.REFUNDED]).toContain(await stateOf("ord-capture-race")),
    );
    const [first, ...rest] = await ledgerOf("ord-capture-race");
    expect(first).toBe("authorize");
    expect([["capture", "refund"], ["void"]]).toContainEqual(rest);
  });

  test("refuses an authorization that comes late", async () => {
    await mesh.publish(OrderCancelledSchema, { orderId: "ord-tombstone" });
    await eventually(async () => {
      const rows = await database.query("test.find", "SELECT 1 FROM payments WHERE order_id = 'ord-tombstone'");
      expect(rows).toHaveLength(1);
    });
    await expect(authorize("ord-tombstone")).rejects.toMatchObject({ code: Code.FailedPrecondition });
    await expect(payment.getPayment({ orderId: "ord-tombstone" })).rejects.toMatchObject({ code: Code.NotFound });
    expect(await ledgerOf("ord-tombstone")).toEqual([]);
  });

  test("gives back an authorization that was under way when it was cancelled", async () => {
    await fault({ kind: "delay", operation: "authorize", count: 1, delay_ms: 1_500 });
    await expect(authorize("ord-race", "tok_visa", 300)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    await mesh.publish(OrderCancelledSchema, { orderId: "ord-race" });
    await becomes("ord-race", PaymentState.VOIDED);
    expect(await ledgerOf("ord-race")).toEqual(["authorize", "void"]);
  });
});

test("a payment that a crash left between commit and answer is found out about after the restart", async () => {
  const response = await fetch(`${providerUrl}/v1/authorizations`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      "idempotency-key": "authorize:ord-crash",
    },
    body: JSON.stringify({ amount: 1_999, currency: "EUR", payment_method: "tok_visa", reference: "ord-crash" }),
  });
  expect(response.status).toBe(200);
  const now = new Date();
  await database.execute(
    "test.crash",
    `INSERT INTO payments (order_id, state, currency_code, amount_minor_units, provider_reference, reason, requested_at,
       updated_at, version, next_attempt_at, lease_owner, lease_until, attempts)
     VALUES ('ord-crash', 'PENDING', 'EUR', 1999, '', '', ?, ?, 1, ?, 'payment-dead', ?, 1)`,
    [now, now, now, new Date(now.getTime() + 1_000)],
  );
  await eventually(() => expect(told.authorized.filter(of("ord-crash"))).toMatchObject([{ amount }]));
  expect(await ledgerOf("ord-crash")).toEqual(["authorize"]);
});
