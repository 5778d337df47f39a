import { generateKeyPairSync } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorReason, systemClock } from "@weft/mesh/contract";
import { bucketFor, bucketOf, createDatabase, migrate, newId } from "@weft/mesh/data";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import type { User } from "./domain.ts";
import { createPasswords } from "./passwords.ts";
import { createAccountStore } from "./store.ts";
import { createAccessTokens } from "./tokens.ts";
import { logIn, type Passwords, register, type UserDeps } from "./usecases.ts";

const telemetry = createTelemetry({ service: "user", write: () => {} });
const resources = new AsyncDisposableStack();
let deps: UserDeps;
/** Of whom was told in transactions that committed. */
const told: User[] = [];

beforeAll(async () => {
  const schema = resources.use(await testDatabase("user"));
  const database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "user", directory, logger: telemetry.logger });
  const clock = systemClock;
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  let tokens = 0;
  deps = {
    clock,
    database,
    accounts: createAccountStore(database),
    passwords: await createPasswords(telemetry),
    tokens: await createAccessTokens({ key, issuer: "https://shop.test", clock, newTokenId: () => `${++tokens}` }),
    events: {
      async userRegistered(tx, user) {
        tx.afterCommit(() => told.push(user));
      },
    },
    newUserId: (email) => newId("usr", bucketFor(email), { clock, random: Math.random }),
  };
});
afterAll(() => resources.disposeAsync());

const password = "correct horse";
const person = (email: string) => ({ email, password, displayName: "Ada" });
const failure = (work: Promise<unknown>) => work.then(() => undefined, ConnectError.from);

describe("register()", () => {
  test("opens an account whose id carries the address's bucket, and tells of it", async () => {
    const user = await register(deps, person("Ada@Example.com"));
    expect(user).toMatchObject({ email: "ada@example.com", displayName: "Ada" });
    expect(bucketOf(user.userId)).toBe(bucketFor("ada@example.com"));
    expect(told).toContainEqual(user);
  });

  test("refuses an address that has an account, in whatever case, naming the field and not the address", async () => {
    await register(deps, person("bob@example.com"));
    const error = await failure(register(deps, person("BOB@example.com")));
    expect([error?.code, error && errorReason(error)]).toEqual([Code.AlreadyExists, "EMAIL_TAKEN"]);
    expect(error?.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe("email");
    expect(error?.message.toLowerCase()).not.toContain("bob");
  });

  test("gives an address to one of many who ask at once, and tells of that one", async () => {
    const attempts = Array.from({ length: 10 }, () => register(deps, person("eve@example.com")));
    const results = await Promise.allSettled(attempts);
    const [winner] = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const reasons = results.flatMap((result) =>
      result.status === "rejected" ? [errorReason(ConnectError.from(result.reason))] : [],
    );
    expect(reasons).toEqual(Array(9).fill("EMAIL_TAKEN"));
    expect(told.filter(({ email }) => email === "eve@example.com")).toEqual([winner]);
  });
});

describe("logIn()", () => {
  test("gives a token for the account, whatever the case of the address", async () => {
    const user = await register(deps, person("carol@example.com"));
    const answer = await logIn(deps, { email: " Carol@EXAMPLE.com", password });
    expect(answer.user).toEqual(user);
    expect(decodeJwt(answer.token).sub).toBe(user.userId);
  });

  test("answers a wrong password and an unknown address alike, after the same work", async () => {
    await register(deps, person("dan@example.com"));
    const checked: (string | undefined)[] = [];
    const passwords: Passwords = {
      ...deps.passwords,
      verify(hash, text) {
        checked.push(text);
        return deps.passwords.verify(hash, text);
      },
    };
    const wrong = await failure(logIn({ ...deps, passwords }, { email: "dan@example.com", password: "wrong" }));
    const unknown = await failure(logIn({ ...deps, passwords }, { email: "nobody@example.com", password: "wrong" }));
    expect(wrong?.code).toBe(Code.Unauthenticated);
    expect(wrong && errorReason(wrong)).toBe("BAD_CREDENTIALS");
    expect([unknown?.code, unknown?.message, unknown?.details]).toEqual([wrong?.code, wrong?.message, wrong?.details]);
    expect(checked).toEqual(["wrong", "wrong"]);
  });
});
