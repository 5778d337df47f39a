import { Code } from "@connectrpc/connect";
import { errorReason, rpcError, systemClock } from "@weft/mesh/contract";
import { createDatabase, createDueRowsWorker, type Database, type DueRowsOptions, migrate } from "@weft/mesh/data";
import { createTelemetry } from "@weft/mesh/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../tools/dev/testing/engines.ts";
import { createSagaAdmin } from "./saga-admin.ts";
import { createPaymentStore } from "./store.ts";
import {
  authorizePayment,
  type PaymentDeps,
  type Provider,
  recordOrderCancelled,
  recordOrderConfirmed,
  runPayment,
} from "./usecases.ts";

const resources = new AsyncDisposableStack();
const lines: string[] = [];
const telemetry = resources.use(createTelemetry({ service: "payment", write: (line) => lines.push(line) }));
const clock = systemClock;
let schema: TestDatabase;
let database: Database;

beforeAll(async () => {
  schema = resources.use(await testDatabase("payment"));
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "payment", directory, logger: telemetry.logger });
});
afterAll(() => resources.disposeAsync());

const authorized = { status: "authorized", reference: "auth_1" } as const;

/** A provider that does what it is asked, but for what the test says. */
function providerWho(differs: Partial<Provider>): Provider {
  return {
    authorize: async () => authorized,
    find: async () => authorized,
    capture: async () => ({ type: "captured" }),
    void: async () => "voided",
    refund: async () => {},
    ...differs,
  };
}

function depsOn(on: Database, provider: Provider) {
  const told: string[] = [];
  const publish = async (_tx: unknown, { state }: { state: string }) => void told.push(state);
  const payments = createPaymentStore({ database: on, publish, onDue: () => {}, traceparent: () => undefined });
  return { payments, provider, clock, told };
}

function workerOn(on: Database, deps: PaymentDeps, options: Partial<DueRowsOptions> = {}) {
  return createDueRowsWorker({
    ...{ name: "payment.payments", database: on, telemetry, table: "payments", keyColumn: "order_id" },
    ...{ leaseMs: 300, pollIntervalMs: 50, drainTimeoutMs: 100, backoffMs: { first: 20, max: 20 } },
    run: ({ key, attempts, leaseToken }) => runPayment(deps, { orderId: key, attempts, leaseToken }),
    ...options,
  });
}

const request = (orderId: string) => ({
  ...{ orderId, paymentMethod: "tok_visa" },
  amount: { currencyCode: "EUR", minorUnits: 500n },
});

test("a worker frozen past its lease writes nothing of what the provider has told it", async () => {
  const answered = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const renewals = Promise.withResolvers<void>();
  await using cold = createDatabase({
    ...{ url: schema.url, telemetry },
    onStatement: (_when, name) => (name === "payment.payments.renewLeases" ? renewals.promise : undefined),
  });
  const late = depsOn(
    cold,
    providerWho({
      async capture() {
        asked.resolve();
        await answered.promise;
        return { type: "refused", reason: "an answer of long ago" };
      },
    }),
  );
  await authorizePayment(late, request("ord_frozen"));
  await recordOrderConfirmed(late.payments, clock, "ord_frozen");
  await using _frozen = workerOn(cold, late, { pollIntervalMs: 60_000 });
  await asked.promise;

  const captured = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const next = depsOn(
    database,
    providerWho({
      async capture() {
        begun.resolve();
        await captured.promise;
        return { type: "captured" };
      },
    }),
  );
  await using _successor = workerOn(database, next);
  await begun.promise;
  const before = late.told.length;
  answered.resolve();
  const row = async () => {
    const sql = "SELECT state, lease_token, last_error FROM payments WHERE order_id = 'ord_frozen'";
    return (await database.query<Record<string, unknown>>("test.payment", sql))[0];
  };
  await expect.poll(() => lines.some((line) => line.includes("due row left to another instance"))).toBe(true);
  expect(await row()).toEqual({ state: "AUTHORIZED", lease_token: "2", last_error: null });
  expect(late.told).toHaveLength(before);
  captured.resolve();
  await expect.poll(async () => (await row())?.state).toBe("CAPTURED");
  renewals.resolve();
  expect([...late.told, ...next.told]).toEqual(["PENDING", "AUTHORIZED", "CAPTURED"]);
});

describe("a refund that the provider will not make", () => {
  test("is asked for without end, and listed after ten times with its error, and counted", async () => {
    let asked = 0;
    let refuses = true;
    const deps = depsOn(
      database,
      providerWho({
        async refund() {
          asked += 1;
          if (refuses) throw rpcError(Code.Unavailable, "refund: the payment provider answered 403");
        },
      }),
    );
    const orderId = "ord_refused";
    await using worker = workerOn(database, deps);
    const admin = createSagaAdmin({ duePayments: deps.payments.due, worker, clock });
    const stuck = async () => (await admin.list({ all: false, after: undefined, limit: 10 })).sagas;
    await authorizePayment(deps, request(orderId));
    await recordOrderConfirmed(deps.payments, clock, orderId);
    worker.wake();
    await expect.poll(async () => (await deps.payments.get(orderId))?.state).toBe("CAPTURED");
    expect(await stuck()).toEqual([]);
    await recordOrderCancelled(deps.payments, clock, orderId);
    const listed = {
      ...{ sagaId: orderId, kind: "payment", state: "CAPTURED", nextStep: "refund" },
      lastError: "[unavailable] refund: the payment provider answered 403",
    };
    await expect.poll(stuck, { timeout: 10_000 }).toMatchObject([listed]);
    expect((await stuck())[0]?.stuckBecause).toMatch(/^its last \d+ runs failed$/);
    expect(asked).toBeGreaterThanOrEqual(10);
    // Its order is what can be given up; the money is not.
    expect(errorReason(await admin.compensate(orderId, "enough").catch((error) => error))).toBe("NOT_COMPENSABLE");
    refuses = false;
    await expect.poll(async () => (await deps.payments.get(orderId))?.state).toBe("REFUNDED");
    expect(await stuck()).toEqual([]);
    expect(await admin.get(orderId)).toMatchObject({ saga: { nextStep: "" }, steps: [{ name: "REFUNDED" }] });
    expect(errorReason(await admin.retry(orderId).catch((error) => error))).toBe("SAGA_FINISHED");
    expect(await admin.retry("ord_none")).toBeUndefined();
  });
});

describe("a COMMIT of which nobody knows", () => {
  test.each(["before", "after"])("is asked again, and told once: lost %s it was done", async (place) => {
    let lost = 0;
    await using doubtful = createDatabase({
      ...{ url: schema.url, telemetry },
      onStatement(when, name) {
        if (when !== place || name !== "payment.change.commit" || lost > 1) return;
        lost += 1;
        // The second: what the provider has said.
        if (lost === 2) throw rpcError(Code.Unavailable, "the connection is gone");
      },
    });
    const deps = depsOn(doubtful, providerWho({}));
    const orderId = `ord_doubt_${place}`;
    expect(await authorizePayment(deps, request(orderId))).toMatchObject({ state: "AUTHORIZED", version: 2 });
    expect(lost).toBe(2);
  });
});
