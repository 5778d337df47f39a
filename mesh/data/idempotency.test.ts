import { spawn } from "node:child_process";
import { once } from "node:events";
import { env, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { create, createFileRegistry, type DescMethodUnary, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { runAs } from "../context/call-context.ts";
import { rpcError } from "../contract/errors.ts";
import type { StatementHook } from "../contract/statement-hook.ts";
import { EchoRequestSchema } from "../gen/weft/echo/v1/echo_pb.ts";
import { createIdempotency, type IdempotencyOptions, type KeyedMethod } from "./idempotency.ts";
import { idempotencyMigrations } from "./idempotency-store.ts";
import { migrate } from "./migrate.ts";
import { startTestDatabase } from "./testing.ts";
import { addOnce } from "./testing-keyed.ts";

let at: Awaited<ReturnType<typeof startTestDatabase>>;

beforeAll(async () => {
  at = await startTestDatabase();
  const { database, telemetry } = at;
  const directory = idempotencyMigrations;
  await migrate({ database, component: "weft_idempotency", directory, logger: telemetry.logger });
  await database.execute(
    "test.create",
    "CREATE TABLE effects (id BIGINT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(100))",
  );
});
afterAll(() => at?.[Symbol.asyncDispose]());
beforeEach(async () => {
  for (const table of ["effects", "weft_idempotency"]) await at.database.execute("test.clear", `DELETE FROM ${table}`);
});

/** A service with one keyed method, which adds a row and answers with its number. */
function open(options: Partial<IdempotencyOptions> = {}) {
  const { telemetry } = at;
  const { database = at.database } = options;
  const keys = createIdempotency({ database, telemetry, ...options });
  const addTo = addOnce(keys, database);
  const add = (text: string, inTransaction?: () => Promise<void>) =>
    addTo(create(EchoRequestSchema, { text }), inTransaction);
  return { keys, add, [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose]() };
}

const withKey = <T>(idempotencyKey: string, fn: () => T, userId = "usr_1") =>
  runAs({ idempotencyKey, endUser: { userId, scopes: [] } }, fn);
const count = async (table: "effects" | "weft_idempotency") => {
  const [row] = await at.database.query<{ n: string }>("test.count", `SELECT COUNT(*) AS n FROM ${table}`);
  return Number(row?.n);
};
const reused = { code: Code.AlreadyExists, details: [{ value: { reason: "IDEMPOTENCY_KEY_REUSED" } }, {}] };

test("the same key again is the same answer and no effect; without a key each call has its own", async () => {
  await using service = open();
  const first = await withKey("k", () => service.add("a"));
  expect(await withKey("k", () => service.add("a"))).toBe(first);
  expect(await count("effects")).toBe(1);
  expect(await service.add("a")).not.toBe(await service.add("a"));
  expect([await count("effects"), await count("weft_idempotency")]).toEqual([3, 1]);
});

test("a key with another request is refused; another caller's key is another key", async () => {
  await using service = open();
  await withKey("k", () => service.add("a"));
  await expect(withKey("k", () => service.add("b"))).rejects.toMatchObject(reused);
  await withKey("k", () => service.add("b"), "usr_2");
  await runAs({ idempotencyKey: "k" }, () => service.add("c"));
  expect(await count("effects")).toBe(3);
});

test("of fifty at once, in two processes, one has the effect and all get its answer", async () => {
  await using own = at.open({ poolSize: 3 });
  await using one = open({ database: own });
  await using other = open();
  const calls = Array.from({ length: 50 }, (_, i) => withKey("k", () => (i % 2 === 0 ? one : other).add("a")));
  expect(new Set(await Promise.all(calls)).size).toBe(1);
  expect(await count("effects")).toBe(1);
});

test("those who wait for the first hold no connection, and leave when their time is over", async () => {
  await using own = at.open({ poolSize: 2 });
  await using service = open({ database: own });
  const held = Promise.withResolvers<void>();
  const first = withKey("k", () => service.add("a", () => held.promise));
  const waiting = Array.from({ length: 20 }, () => withKey("k", () => service.add("a")));
  const hurried = runAs({ signal: AbortSignal.timeout(20) }, () => withKey("k", () => service.add("a")));
  await expect(hurried).rejects.toMatchObject({ code: Code.Canceled });
  await own.query("test.other", "SELECT 1");
  held.resolve();
  expect(new Set(await Promise.all([first, ...waiting])).size).toBe(1);
});

test("a first that fails leaves nothing: the next with the key runs, fifty who all fail one after another", async () => {
  await using service = open();
  const refused = async () => {
    throw rpcError(Code.FailedPrecondition, "not now");
  };
  const calls = Array.from({ length: 50 }, () => withKey("k", () => service.add("a", refused)));
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.every((outcome) => outcome.status === "rejected" && /not now/.test(outcome.reason.message))).toBe(
    true,
  );
  expect([await count("effects"), await count("weft_idempotency")]).toEqual([0, 0]);
  await withKey("k", () => service.add("b"));
  expect(await count("effects")).toBe(1);
});

/** Fails at the places whose number is due, and counts them. */
const losing = (place: string, lost: (n: number) => boolean) => {
  let n = 0;
  const hook: StatementHook = (when, name) => {
    if (`${when} ${name}` !== place) return;
    n += 1;
    if (lost(n)) throw rpcError(Code.Unavailable, "the reply is lost");
  };
  return { hook, count: () => n };
};

test.each(["before", "after"])(
  "a COMMIT lost %s it happened is found out in the same call, 200 times",
  async (when) => {
    const commits = losing(`${when} test.add.commit`, (n) => n % 2 === 1);
    await using own = at.open({ onStatement: commits.hook });
    await using service = open({ database: own });
    for (let i = 0; i < 200; i += 1) await withKey(`k${i}`, () => service.add(`a${i}`));
    expect([await count("effects"), commits.count()]).toEqual([200, 400]);
  },
);

test("an outcome that cannot be found out stays unknown, and is asked for with the key", async () => {
  let away = true;
  const hook: StatementHook = (when, name) => {
    if (away && when === "after" && name === "test.add.commit") throw rpcError(Code.Unavailable, "lost");
  };
  await using own = at.open({ onStatement: hook });
  await using service = open({ database: own });
  await expect(withKey("k", () => service.add("a"))).rejects.toMatchObject({ code: Code.Unknown });
  away = false;
  await withKey("k", () => service.add("a"));
  expect(await count("effects")).toBe(1);
});

test.each([
  ["after idempotency.take", 0],
  ["after test.insert", 0],
  ["after idempotency.saveAnswer", 0],
  ["before test.add.commit", 0],
  ["after test.add.commit", 1],
])("kill -9 %s leaves key and effect, or neither; asked again, there is one effect", async (place, effects) => {
  const process = spawn(execPath, [fileURLToPath(new URL("./testing-keyed-process.ts", import.meta.url))], {
    env: { ...env, MYSQL_URL: at.url, KILL_AT: place },
    stdio: "inherit",
  });
  const [, signal] = await once(process, "exit");
  expect(signal).toBe("SIGKILL");
  expect([await count("effects"), await count("weft_idempotency")]).toEqual([effects, effects]);
  await using service = open();
  await runAs({ idempotencyKey: "k" }, () => service.add("a"));
  expect([await count("effects"), await count("weft_idempotency")]).toEqual([1, 1]);
});

test("keys are kept for a day and then removed, a batch at a time; then the key is free", async () => {
  let nowMs = Date.now();
  await using service = open({ clock: { now: () => nowMs, monotonic: () => nowMs } });
  const first = await withKey("k", () => service.add("a"));
  for (let i = 0; i < 1_200; i += 1) {
    await at.database.execute(
      "test.fill",
      "INSERT INTO weft_idempotency (caller, method, idempotency_key, request_hash, created_at) VALUES ('usr_1', 'm', ?, '', ?)",
      [`k${i}`, new Date(nowMs)],
    );
  }
  nowMs += 86_400_000;
  await service.keys.purge();
  expect(await withKey("k", () => service.add("a"))).toBe(first);
  nowMs += 1;
  await service.keys.purge();
  expect(await count("weft_idempotency")).toBe(0);
  expect(await withKey("k", () => service.add("a"))).not.toBe(first);
});

test("a space at the end of a key counts", async () => {
  await using service = open();
  await withKey("key", () => service.add("a"));
  await withKey("key ", () => service.add("b"));
  expect(await count("effects")).toBe(2);
});

/** A method whose request has a secret and, in a message of its own, a name that must not be seen. */
function withSecrets() {
  const redacted = { debugRedact: true };
  const text = { type: 9, label: 1 };
  const file = create(FileDescriptorProtoSchema, {
    ...{ name: "test.proto", package: "test", syntax: "proto3" },
    messageType: [
      { name: "Who", field: [{ ...text, name: "name", number: 1, options: redacted }] },
      {
        name: "Join",
        field: [
          { ...text, name: "room", number: 1 },
          { ...text, name: "password", number: 2, options: redacted },
          { name: "who", number: 3, label: 1, type: 11, typeName: ".test.Who" },
        ],
      },
    ],
    service: [{ name: "S", method: [{ name: "Join", inputType: ".test.Join", outputType: ".test.Who" }] }],
  });
  const set = fromBinary(
    FileDescriptorSetSchema,
    toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [file] })),
  );
  return createFileRegistry(set).getService("test.S")?.method.join as DescMethodUnary;
}

test("a secret is not in the hash but compared; what the contract redacts must be one or the other", async () => {
  await using keys = createIdempotency({ database: at.database, telemetry: at.telemetry });
  const join = withSecrets();
  const how: KeyedMethod<typeof join.input, typeof join.output, string> = {
    toAnswer: () => ({ $typeName: "test.Who" }),
    fromAnswer: () => "room",
  };
  expect(() => keys.method(join, how)).toThrow(/password, who.name is redacted/);
  expect(() => keys.method(join, { ...how, inClear: ["password", "who.name", "nick"] })).toThrow(/nick is no redacted/);
  expect(() => keys.method(join, { ...how, matches: async () => true })).toThrow(/who.name is redacted/);
  const keyed = keys.method(join, {
    ...{ ...how, inClear: ["who.name"] },
    matches: async (request) => Reflect.get(request, "password") === "hunter2",
  });
  const ask = (password: string) => {
    const request = create(join.input, Object.assign({ $typeName: "test.Join" as string }, { password }));
    return withKey("k", () => keyed(request)?.("test.join", async () => "room"));
  };
  await ask("hunter2");
  const [{ hash } = { hash: "" }] = await at.database.query<{ hash: string }>(
    "test.hash",
    "SELECT request_hash AS hash FROM weft_idempotency",
  );
  expect(await ask("hunter2")).toBe("room");
  await expect(ask("hunter3")).rejects.toMatchObject(reused);
  expect(hash).toMatch(/^e3b0c442/); // the SHA-256 of nothing: the password is not in it
});
