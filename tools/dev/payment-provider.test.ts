import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { HttpServer } from "./outside/http.ts";
import type { LedgerEntry } from "./outside/ledger.ts";
import { startPaymentProvider } from "./payment-provider.ts";

const ORDER = { amount: 1999, currency: "EUR", payment_method: "tok_visa", reference: "ord_1" };

let directory: string;
let provider: HttpServer;
let pauses: { ms: number; end: () => void }[];

const start = () =>
  startPaymentProvider({
    port: 0,
    key: "secret",
    ledgerFile: join(directory, "ledger.jsonl"),
    pause: (ms) => new Promise<void>((end) => pauses.push({ ms, end })),
  });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "weft-provider-"));
  pauses = [];
  provider = await start();
});

afterEach(async () => {
  await provider[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function call(method: string, path: string, body?: object, key?: string) {
  const response = await fetch(`${provider.url}/v1${path}`, {
    method,
    headers: { authorization: "Bearer secret", ...(key ? { "idempotency-key": key } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const json = (await response.json()) as { id?: string; data?: object[]; entries?: LedgerEntry[]; error?: object };
  return { status: response.status, body: json, replayed: response.headers.get("idempotent-replayed") === "true" };
}

const authorize = (key: string, body: object = ORDER) => call("POST", "/authorizations", body, key);
const ledger = async () => (await call("GET", "/ledger")).body.entries ?? [];

test("the same key with the same body gets the same answer, and money is held once", async () => {
  const first = await authorize("k1");
  const second = await authorize("k1");
  expect(first).toMatchObject({ status: 200, replayed: false, body: { status: "authorized" } });
  expect(second).toMatchObject({ status: 200, replayed: true, body: first.body });
  expect(await ledger()).toMatchObject([
    {
      seq: 1,
      type: "authorize",
      authorization_id: first.body.id,
      reference: "ord_1",
      amount: 1999,
      idempotency_key: "k1",
    },
  ]);
});

test("fifty requests at once with one key make one authorization", async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => authorize("k1")));
  expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
  expect(await ledger()).toHaveLength(1);
});

test("the same key with another body is refused", async () => {
  await authorize("k1");
  const other = await authorize("k1", { ...ORDER, amount: 1 });
  expect(other).toMatchObject({ status: 409, body: { error: { code: "idempotency_key_reused" } } });
});

test("a declined card holds no money and stays declined under its key", async () => {
  const body = { ...ORDER, payment_method: "tok_declined" };
  const answer = { status: 402, body: { status: "declined", decline_reason: "insufficient_funds" } };
  expect(await authorize("k1", body)).toMatchObject(answer);
  expect(await authorize("k1", body)).toMatchObject({ ...answer, replayed: true });
  expect(await ledger()).toEqual([]);
});

test("an authorization is captured or voided once, never both", async () => {
  const { id } = (await authorize("k1")).body;
  expect(await call("POST", `/authorizations/${id}/capture`, undefined, "c1")).toMatchObject({
    status: 200,
    body: { id, status: "captured" },
  });
  expect(await call("POST", `/authorizations/${id}/capture`, undefined, "c1")).toMatchObject({ replayed: true });
  for (const [operation, key] of [
    ["capture", "c2"],
    ["void", "v1"],
  ]) {
    const answer = await call("POST", `/authorizations/${id}/${operation}`, undefined, key);
    expect(answer).toMatchObject({ status: 409, body: { error: { code: "invalid_state" } } });
  }
  expect((await ledger()).map((entry) => entry.type)).toEqual(["authorize", "capture"]);
});

test("what is captured is refunded once, and nothing else is", async () => {
  const { id } = (await authorize("k1")).body;
  const refused = { status: 409, body: { error: { code: "invalid_state" } } };
  expect(await call("POST", `/authorizations/${id}/refund`, undefined, "r0")).toMatchObject(refused);
  await call("POST", `/authorizations/${id}/capture`, undefined, "c1");
  const answer = { status: 200, body: { id, status: "refunded" } };
  expect(await call("POST", `/authorizations/${id}/refund`, undefined, "r1")).toMatchObject(answer);
  expect(await call("POST", `/authorizations/${id}/refund`, undefined, "r1")).toMatchObject({ replayed: true });
  expect(await call("POST", `/authorizations/${id}/refund`, undefined, "r2")).toMatchObject(refused);
  expect((await ledger()).map((entry) => entry.type)).toEqual(["authorize", "capture", "refund"]);
});

test("tok_capture_fails authorizes, and can still be voided after its capture failed", async () => {
  const { id } = (await authorize("k1", { ...ORDER, payment_method: "tok_capture_fails" })).body;
  expect(await call("POST", `/authorizations/${id}/capture`, undefined, "c1")).toMatchObject({ status: 402 });
  expect(await call("POST", `/authorizations/${id}/void`, undefined, "v1")).toMatchObject({ status: 200 });
});

test("tok_slow is processing until its time has passed, also for a second request with its key", async () => {
  const body = { ...ORDER, payment_method: "tok_slow" };
  const first = authorize("k1", body);
  await expect.poll(() => pauses).toHaveLength(1);
  expect((await call("GET", "/authorizations?idempotency_key=k1")).body.data).toEqual([{ status: "processing" }]);
  const second = authorize("k1", body);
  expect(pauses[0]?.ms).toBe(10_000);
  pauses[0]?.end();
  expect((await first).body).toEqual((await second).body);
  expect((await call("GET", "/authorizations?idempotency_key=k1")).body.data).toMatchObject([{ status: "authorized" }]);
  expect(await ledger()).toHaveLength(1);
});

test("a lost reply has held the money, and the key finds it", async () => {
  await call("POST", "/faults", { kind: "lost_reply", operation: "authorize", count: 1 });
  await expect(authorize("k1")).rejects.toThrow();
  expect((await call("GET", "/authorizations?idempotency_key=k1")).body.data).toMatchObject([{ status: "authorized" }]);
  expect(await authorize("k1")).toMatchObject({ status: 200, replayed: true });
  expect((await call("GET", "/authorizations?idempotency_key=never")).body.data).toEqual([]);
});

test("faults hit as many requests of their operation as asked for, then no more", async () => {
  await call("POST", "/faults", { kind: "error", operation: "authorize", count: 2 });
  await call("POST", "/faults", { kind: "decline", operation: "authorize", count: 1 });
  const statuses = [];
  for (const key of ["a", "a", "b", "a"]) statuses.push((await authorize(key)).status);
  expect(statuses).toEqual([500, 500, 402, 200]);
});

test("faults can be cleared", async () => {
  await call("POST", "/faults", { kind: "error", operation: "authorize", count: 9 });
  await call("DELETE", "/faults");
  expect(await authorize("k1")).toMatchObject({ status: 200 });
});

test("the ledger, the keys and the states survive a restart", async () => {
  const { id } = (await authorize("k1")).body;
  const before = await ledger();
  await provider[Symbol.asyncDispose]();
  provider = await start();
  expect(await ledger()).toEqual(before);
  expect(await authorize("k1")).toMatchObject({ replayed: true, body: { id } });
  expect(await call("POST", `/authorizations/${id}/void`, undefined, "v1")).toMatchObject({ status: 200 });
  expect((await ledger()).map((entry) => entry.seq)).toEqual([1, 2]);
});

test("what another sandbox has kept goes on here, once, over a restart", async () => {
  const { id } = (await authorize("k1")).body;
  await call("POST", `/authorizations/${id}/capture`, undefined, "c1");
  const file = await readFile(join(directory, "ledger.jsonl"), "utf8");
  const records = file.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  await provider[Symbol.asyncDispose]();
  await rm(join(directory, "ledger.jsonl"));
  provider = await start();
  await authorize("own");
  expect(await call("POST", "/ledger", { records })).toMatchObject({ status: 200, body: { taken: 2 } });
  expect(await call("POST", "/ledger", { records })).toMatchObject({ status: 200, body: { taken: 0 } });
  await provider[Symbol.asyncDispose]();
  provider = await start();
  expect((await ledger()).map(({ seq, type }) => [seq, type])).toEqual([
    [1, "authorize"],
    [2, "authorize"],
    [3, "capture"],
  ]);
  expect(await authorize("k1")).toMatchObject({ replayed: true, body: { id } });
  expect(await call("POST", `/authorizations/${id}/refund`, undefined, "r1")).toMatchObject({ status: 200 });
  for (const body of [{}, { records: [{}] }, { records: [1] }, { records: [{ ...records[0], authorization: null }] }]) {
    expect(await call("POST", "/ledger", body)).toMatchObject({ status: 400 });
  }
});

test.each([
  ["no key", undefined, ORDER, "idempotency_key_missing"],
  ["a fraction of a cent", "k", { ...ORDER, amount: 1.5 }, "invalid_request"],
  ["a currency in lower case", "k", { ...ORDER, currency: "eur" }, "invalid_request"],
  ["an unknown payment method", "k", { ...ORDER, payment_method: "tok_gold" }, "invalid_request"],
])("authorize refuses %s", async (_, key, body, code) => {
  expect(await call("POST", "/authorizations", body, key)).toMatchObject({ status: 400, body: { error: { code } } });
});

test("a caller without the key is refused", async () => {
  expect((await fetch(`${provider.url}/v1/ledger`)).status).toBe(401);
});
