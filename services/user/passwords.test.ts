import { Code, ConnectError } from "@connectrpc/connect";
import { parseOptions } from "@node-rs/argon2";
import { runAs } from "@weft/mesh/context";
import { errorReason, retryDelayMs } from "@weft/mesh/contract";
import { createTelemetry } from "@weft/mesh/telemetry";
import { expect, test } from "vitest";
import { createPasswords } from "./passwords.ts";

const telemetry = createTelemetry({ service: "user", write: () => {} });

test("a hash is Argon2id with 19 MiB, two passes and one lane, and never the same twice", async () => {
  const passwords = await createPasswords(telemetry);
  const hashes = await Promise.all([passwords.hash("correct horse"), passwords.hash("correct horse")]);
  expect(new Set(hashes).size).toBe(2);
  expect(hashes[0]).toMatch(/^\$argon2id\$/);
  expect(parseOptions(hashes[0])).toMatchObject({ memoryCost: 19 * 1024, timeCost: 2, parallelism: 1 });
});

test("verify() accepts the password and no other, and nothing at all without a hash", async () => {
  const passwords = await createPasswords(telemetry);
  const hash = await passwords.hash("correct horse");
  const results = [
    passwords.verify(hash, "correct horse"),
    passwords.verify(hash, "Correct horse"),
    passwords.verify(undefined, "correct horse"),
  ];
  expect(await Promise.all(results)).toEqual([true, false, false]);
});

test("two are hashed and so many wait; the next is refused with a delay to wait for", async () => {
  const passwords = await createPasswords(telemetry, 1);
  const accepted = [passwords.hash("1"), passwords.hash("2"), passwords.hash("3")];
  const error = await passwords.hash("4").catch(ConnectError.from);
  if (!(error instanceof ConnectError)) throw new Error("a fourth was let in");
  expect([error.code, errorReason(error), retryDelayMs(error)]).toEqual([
    Code.ResourceExhausted,
    "PASSWORD_QUEUE_FULL",
    1_000,
  ]);
  await Promise.all(accepted);
  await passwords.hash("5");
});

test("a caller who leaves while waiting is not hashed for, and hears why", async () => {
  const passwords = await createPasswords(telemetry, 1);
  const busy = [passwords.hash("1"), passwords.hash("2")];
  const caller = new AbortController();
  const waiting = runAs({ signal: caller.signal }, () => passwords.hash("3"));
  caller.abort(new ConnectError("the caller has gone", Code.Canceled));
  await expect(waiting).rejects.toMatchObject({ code: Code.Canceled });
  await Promise.all(busy);
});
