import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { jetstream } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OrderState } from "../../../gen/shop/api/v1/order_pb.ts";
import { OrderConfirmedSchema } from "../../../gen/shop/order/v1/events_pb.ts";
import { PaymentService } from "../../../gen/shop/payment/v1/payment_pb.ts";
import { UserRegisteredSchema } from "../../../gen/shop/user/v1/events_pb.ts";
import { deadLetterHeaders } from "../../../mesh/events/dead-letter.ts";
import { encodeEvent } from "../../../mesh/events/envelope.ts";
import { run } from "../../cli/cli.ts";
import { createOperator, type Operator } from "./operator.ts";
import { type Shop, startShop } from "./shop.ts";

const SUBJECT = "shop.order.v1.OrderConfirmed";
const LETTERS = 100;
const amount = { currencyCode: "EUR", minorUnits: 1_250n };

let shop: Shop;
let operator: Operator;
let nats: NatsConnection;
let directory: string;

beforeAll(async () => {
  shop = await startShop("single");
  operator = await createOperator(shop.stack.addresses);
  const { services, certs, engines } = shop.stack.addresses;
  nats = await connect({ servers: engines.nats });
  directory = await mkdtemp(join(tmpdir(), "weft-operators-"));
  await writeFile(join(directory, "stack.json"), JSON.stringify({ services, certs }));
}, 120_000);
afterAll(async () => {
  await nats?.close();
  await operator?.[Symbol.asyncDispose]();
  await shop?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** `npx weft ... --json`, as somebody. */
async function weft(args: readonly string[], user = "ada") {
  let [stdout, stderr] = ["", ""];
  const exitCode = await run([...args, "--stack", directory, "--json"], {
    stdin: (async function* () {})(),
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
    workingDirectory: directory,
    user,
  });
  return { exitCode, stderr, rows: stdout === "" ? [] : (JSON.parse(stdout) as Record<string, string>[]) };
}

const eventOf = <Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>, eventId: string) =>
  encodeEvent(schema, message, { eventId, version: 3n, occurredAtMs: Date.now() });

/** Lays an event among payment's dead letters as its consumer does after ten deliveries, which take it a minute and a half. */
async function giveUp(orderId: string): Promise<void> {
  const { subject, bytes, envelope } = eventOf(OrderConfirmedSchema, { orderId, userId: "usr_1" }, randomUUID());
  const hdrs = headers();
  hdrs.set(deadLetterHeaders.cause, "ConnectError: [failed_precondition] the order is confirmed but has no payment");
  hdrs.set(deadLetterHeaders.consumer, "payment");
  hdrs.set(deadLetterHeaders.deliveries, "10");
  hdrs.set(deadLetterHeaders.eventId, envelope.eventId);
  await jetstream(nats).publish(`dead.payment.${subject}`, bytes, { headers: hdrs });
}

const outcomesOf = (rows: readonly Record<string, string>[]) => rows.map(({ outcome }) => outcome);
const redrive = (more: readonly string[], user?: string) => weft(["dlq", "redrive", "payment", "--all", ...more], user);

test(`${LETTERS} poisonous events, the fix, and redrives by two operators at once: each order's money is captured once`, async () => {
  const orderIds = Array.from({ length: LETTERS }, (_, index) => `ord_poison_${index}`);
  for (const orderId of orderIds) await giveUp(orderId);
  const listed = await weft(["dlq", "list", "payment", "--limit", "1000", "--cause", "no payment"]);
  expect(listed.rows).toHaveLength(LETTERS);
  expect(listed.rows[0]).toMatchObject({ service: "payment", subject: SUBJECT, deliveries: 10 });

  // They would fail still, and do.
  const state = async () => [
    await shop.rows("payment", "CHECKSUM TABLE payments, weft_inbox, weft_outbox"),
    await shop.rows("order", "CHECKSUM TABLE orders, sagas, order_events"),
    await shop.ledger(),
  ];
  const before = await state();
  for (const dry of [["--dry-run"], []]) {
    const { exitCode, rows } = await redrive(dry);
    expect([exitCode, new Set(outcomesOf(rows)), rows.length]).toEqual([1, new Set(["FAILED"]), LETTERS]);
    expect(rows[0]?.detail).toContain("no payment");
  }
  expect(await state()).toEqual(before);

  // The fix: what they wait for comes to be.
  const payment = operator.client(PaymentService, "payment");
  for (const orderId of orderIds) await payment.authorizePayment({ orderId, amount, paymentMethod: "tok_visa" });
  await expect
    .poll(async () => (await shop.rows("payment", "SELECT 1 FROM weft_outbox WHERE published_at IS NULL")).length)
    .toBe(0);
  const fixed = await state();
  const dry = await redrive(["--dry-run"]);
  expect([dry.exitCode, new Set(outcomesOf(dry.rows)), dry.rows.length]).toEqual([0, new Set(["HANDLED"]), LETTERS]);
  expect(await state()).toEqual(fixed);

  const [ada, grace] = await Promise.all([
    redrive(["--reason", "payments are there now"], "ada"),
    redrive([], "grace"),
  ]);
  expect([...outcomesOf(ada.rows), ...outcomesOf(grace.rows)].filter((outcome) => outcome === "HANDLED")).toHaveLength(
    LETTERS,
  );
  expect(await weft(["dlq", "list", "payment"])).toMatchObject({ rows: [] });

  const captures = async () =>
    (await shop.ledger()).filter(({ type }) => type === "capture").map(({ reference }) => reference);
  await expect.poll(async () => (await captures()).length, { timeout: 30_000 }).toBe(LETTERS);
  expect((await captures()).toSorted()).toEqual(orderIds.toSorted());

  const [{ letterId = "" } = {}] = listed.rows;
  const gone = await weft(["dlq", "redrive", "payment", letterId]);
  expect([gone.exitCode, gone.stderr]).toEqual([1, expect.stringContaining("LETTER_GONE")]);

  const { rows: audit } = await weft(["audit", "payment"]);
  expect(audit.filter(({ outcome }) => outcome?.startsWith(`${LETTERS} failed`))).toHaveLength(2);
  expect(audit.map(({ claimedOperator, reason, dryRun }) => ({ claimedOperator, reason, dryRun }))).toContainEqual({
    ...{ claimedOperator: "ada", reason: "payments are there now", dryRun: false },
  });
  expect(new Set(audit.map(({ peer }) => peer))).toEqual(new Set(["spiffe://weft.local/operator"]));
}, 120_000);

describe("what cannot be handled", () => {
  test("a broken body and an unknown type hold nothing else up; the letters are listed, shown and discarded", async () => {
    const publish = (subject: string, data: Uint8Array) => jetstream(nats).publish(subject, data);
    await publish(SUBJECT, new Uint8Array([255, 254]));
    await publish("shop.order.v1.NeverHeardOf", new Uint8Array([1, 2, 3]));
    const consumers = ["analytics", "inventory", "notification", "order", "payment", "recommendation"];
    await expect
      .poll(async () => (await weft(["dlq", "list"])).rows.map(({ service }) => service).toSorted(), {
        timeout: 20_000,
      })
      .toEqual(consumers);

    const customer = await shop.customer();
    const { order } = await customer.orders.placeOrder({
      idempotencyKey: randomUUID(),
      lines: [{ sku: "COF-ESPRESSO-250", quantity: 1 }],
      paymentMethod: "tok_visa",
    });
    const orderId = order?.orderId ?? "";
    const stateNow = async () => (await customer.orders.getOrder({ orderId })).order?.state;
    await expect.poll(stateNow, { timeout: 20_000 }).toBe(OrderState.PAID);

    for (const { service = "", letterId = "" } of (await weft(["dlq", "list"])).rows) {
      expect((await weft(["dlq", "show", service, letterId])).rows).toMatchObject({
        bodyHex: "fffe",
        subject: SUBJECT,
      });
      expect(outcomesOf((await weft(["dlq", "redrive", service, letterId])).rows)).toEqual(["FAILED"]);
      const discarded = await weft(["dlq", "discard", service, letterId, "--reason", "nobody can read it"]);
      expect([discarded.exitCode, discarded.rows.length]).toEqual([0, 1]);
    }
    expect((await weft(["dlq", "list"])).rows).toEqual([]);
  }, 60_000);

  test("personal data of a letter is not shown", async () => {
    const registered = { userId: "usr_1", email: "ada@example.com", displayName: "Ada" };
    const { subject, bytes } = eventOf(UserRegisteredSchema, registered, "e");
    await jetstream(nats).publish(`dead.notification.${subject}`, bytes);
    const { rows } = await weft(["dlq", "list", "notification"]);
    const shown = await weft(["dlq", "show", "notification", rows[0]?.letterId ?? ""]);
    expect(shown.rows).toMatchObject({ body: { userId: "usr_1", email: "[redacted]", displayName: "[redacted]" } });
  });
});

describe("sagas", () => {
  const place = async (customer: Awaited<ReturnType<Shop["customer"]>>) => {
    const lines = [{ sku: "COF-ESPRESSO-250", quantity: 1 }];
    const request = { idempotencyKey: randomUUID(), lines, paymentMethod: "tok_visa" };
    return (await customer.orders.placeOrder(request)).order?.orderId ?? "";
  };
  const ofOrder = async (orderId: string) => (await shop.ledger()).filter(({ reference }) => reference === orderId);
  const clearFaults = async () => {
    const { url, key } = shop.stack.addresses.paymentProvider;
    await fetch(`${url}/v1/faults`, { method: "DELETE", headers: { authorization: `Bearer ${key}` } });
  };

  test("captures that the provider will not do are seen, one is retried, one order is given up", {
    timeout: 60_000,
  }, async () => {
    const customer = await shop.customer();
    await shop.fault({ kind: "error", operation: "capture", count: 1_000 });
    const [retried, givenUp] = [await place(customer), await place(customer)];
    const failing = async () =>
      (await weft(["saga", "list", "payment", "--all"])).rows.filter(
        ({ nextStep, lastError }) => nextStep === "capture" && lastError,
      );
    await expect
      .poll(async () => (await failing()).map(({ sagaId }) => sagaId).toSorted(), { timeout: 20_000 })
      .toEqual([retried, givenUp].toSorted());
    expect((await weft(["saga", "show", "order", retried])).rows).toMatchObject({
      state: "CONFIRMED",
      nextStep: "capture",
      kind: "checkout",
    });

    const refused = await weft(["saga", "compensate", "payment", givenUp, "--reason", "customer called"]);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("NOT_COMPENSABLE")]);
    const cancelled = await weft(["saga", "compensate", "order", givenUp, "--reason", "customer called"]);
    expect(cancelled.rows).toMatchObject([{ sagaId: givenUp, state: "CANCELLED" }]);

    await clearFaults();
    expect((await weft(["saga", "retry", "payment", retried])).exitCode).toBe(0);
    const stateOf = async (orderId: string) => (await customer.orders.getOrder({ orderId })).order?.state;
    await expect.poll(() => stateOf(retried), { timeout: 20_000 }).toBe(OrderState.PAID);
    expect(await stateOf(givenUp)).toBe(OrderState.CANCELLED);
    await expect
      .poll(async () => (await ofOrder(givenUp)).map(({ type }) => type), { timeout: 30_000 })
      .toEqual(["authorize", "void"]);
    expect((await ofOrder(retried)).map(({ type }) => type)).toEqual(["authorize", "capture"]);
    const paid = await weft(["saga", "show", "order", retried]);
    expect((paid.rows as unknown as { steps: { name: string }[] }).steps.map(({ name }) => name)).toEqual([
      "PLACED",
      "RESERVED",
      "CONFIRMED",
      "PAID",
    ]);

    expect((await weft(["audit", "order", "--limit", "1"])).rows).toMatchObject([
      { action: "CompensateSaga", target: givenUp, reason: "customer called" },
    ]);
    expect((await weft(["audit", "payment", "--limit", "2"])).rows).toMatchObject([
      { action: "RetrySaga", target: retried, failed: false },
      { action: "CompensateSaga", target: givenUp, failed: true },
    ]);
  });
});
