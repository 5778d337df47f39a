import { generateKeyPairSync } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorReason, systemClock } from "@weft/mesh/contract";
import { bucketFor, bucketOf, createDatabase, type Database, migrate, newId } from "@weft/mesh/data";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createTelemetry } from "@weft/mesh/telemetry";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testDatabase } from "../../tools/dev/testing/engines.ts";
import type { Profile, ProfileFields, User } from "./domain.ts";
import { createPasswords } from "./passwords.ts";
import { createAccountStore, createProfileStore, seedAccounts } from "./store.ts";
import { createAccessTokens } from "./tokens.ts";
import { getProfile, logIn, type Passwords, register, type UserDeps, updateProfile } from "./usecases.ts";

const telemetry = createTelemetry({ service: "user", write: () => {} });
const resources = new AsyncDisposableStack();
let deps: UserDeps;
/** Of whom was told in transactions that committed. */
const told: User[] = [];
const updated: Profile[] = [];
let database: Database;

beforeAll(async () => {
  const schema = resources.use(await testDatabase("user"));
  database = resources.use(createDatabase({ url: schema.url, telemetry }));
  const directory = new URL("./migrations/", import.meta.url);
  await migrate({ database, component: "user", directory, logger: telemetry.logger });
  const clock = systemClock;
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  let tokens = 0;
  deps = {
    clock,
    database,
    accounts: createAccountStore(database),
    profiles: createProfileStore(database),
    profileReads: createProfileStore(database),
    profileChanged: async () => {},
    passwords: await createPasswords(telemetry),
    tokens: await createAccessTokens({ key, issuer: "https://shop.test", clock, newTokenId: () => `${++tokens}` }),
    events: {
      async userRegistered(tx, user) {
        tx.afterCommit(() => told.push(user));
      },
      async profileUpdated(tx, profile) {
        tx.afterCommit(() => updated.push(profile));
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

describe("a profile", () => {
  const nothing: ProfileFields = {
    ...{ displayName: "", phone: "", pushToken: "" },
    ...{ notifyByEmail: false, notifyBySms: false, notifyByPush: false },
  };
  const update = (userId: string, fields: Partial<ProfileFields>, ...paths: string[]) =>
    updateProfile(deps, { userId, fields: { ...nothing, ...fields }, paths });
  const updatesOf = (userId: string) => updated.filter((profile) => profile.userId === userId);

  test("of a new account wants e-mails, and nothing else", async () => {
    const { userId } = await register(deps, person("profile.new@example.com"));
    expect(await getProfile(deps, userId)).toEqual({
      ...{ ...nothing, userId, email: "profile.new@example.com", displayName: "Ada" },
      ...{ notifyByEmail: true, version: 1n },
    });
  });

  test("changes in the fields that the mask names, leaves the others, and is told of as a whole", async () => {
    const { userId } = await register(deps, person("profile.mask@example.com"));
    const sent = { displayName: "Other", phone: "+4930123456", notifyBySms: true, pushToken: "ignored" };
    const after = await update(userId, sent, "phone", "notify_by_sms");
    expect(after).toMatchObject({ displayName: "Ada", phone: "+4930123456", notifyBySms: true, pushToken: "" });
    expect(after).toMatchObject({ notifyByEmail: true, version: 2n });
    expect(await getProfile(deps, userId)).toEqual(after);
    expect(updatesOf(userId)).toEqual([after]);
  });

  test("can have a field emptied, which is not the same as leaving it", async () => {
    const { userId } = await register(deps, person("profile.empty@example.com"));
    await update(userId, { phone: "+4930123456" }, "phone");
    expect((await update(userId, {}, "phone", "notify_by_email")).phone).toBe("");
    expect((await getProfile(deps, userId)).notifyByEmail).toBe(false);
  });

  test("that is so already does not change, and nobody hears of it", async () => {
    const { userId } = await register(deps, person("profile.same@example.com"));
    expect(
      (await update(userId, { displayName: "Ada", notifyByEmail: true }, "display_name", "notify_by_email")).version,
    ).toBe(1n);
    expect(updatesOf(userId)).toEqual([]);
  });

  test("keeps every change of many at once, each told of with its own version", async () => {
    const { userId } = await register(deps, person("profile.race@example.com"));
    await Promise.all([
      update(userId, { phone: "+4930111111" }, "phone"),
      update(userId, { pushToken: "device-1" }, "push_token"),
      update(userId, { notifyBySms: true }, "notify_by_sms"),
      update(userId, { notifyByPush: true }, "notify_by_push"),
    ]);
    const expected = { phone: "+4930111111", pushToken: "device-1", notifyBySms: true, notifyByPush: true };
    expect(await getProfile(deps, userId)).toMatchObject({ ...expected, version: 5n });
    expect(
      updatesOf(userId)
        .map(({ version }) => version)
        .sort(),
    ).toEqual([2n, 3n, 4n, 5n]);
  });

  test.each([
    ["an immutable path", ["email"], "email"],
    ["an unknown path", ["phone", "shoe_size"], "shoe_size"],
    ["a path in the spelling of JSON", ["displayName"], "displayName"],
    ["everything", ["*"], "*"],
    ["a path below a field", ["phone.country"], "phone.country"],
    ["nothing", [], "no field"],
  ])("refuses a mask that names %s, naming update_mask and the path", async (_, paths, named) => {
    const { userId } = await register(
      deps,
      person(`profile.${newId("bad", 1, { clock: deps.clock, random: Math.random })}@example.com`),
    );
    const error = await failure(update(userId, { phone: "+4930123456" }, ...paths));
    expect(error?.code).toBe(Code.InvalidArgument);
    const violations = error?.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(violations.map(({ field }) => field)).toEqual(["update_mask"]);
    expect([error?.rawMessage, violations[0]?.description]).toEqual([
      expect.stringContaining(named),
      expect.stringContaining(named),
    ]);
    expect((await getProfile(deps, userId)).version).toBe(1n);
  });

  test("refuses to lose its name", async () => {
    const { userId } = await register(deps, person("profile.name@example.com"));
    const error = await failure(update(userId, {}, "display_name"));
    expect([error?.code, error?.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field]).toEqual([
      Code.InvalidArgument,
      "profile.display_name",
    ]);
  });

  test("of an account that is gone is NOT_FOUND", async () => {
    expect((await failure(getProfile(deps, "usr_gone")))?.code).toBe(Code.NotFound);
    expect((await failure(update("usr_gone", {}, "phone")))?.code).toBe(Code.NotFound);
  });
});

test("seedAccounts() opens an account with its scopes once, and leaves one that is there as it is", async () => {
  const clerk = {
    email: "clerk@shop.test",
    displayName: "Clerk",
    password: "first password",
    scopes: ["customer", "warehouse"],
  };
  const tools = { hash: deps.passwords.hash, newUserId: deps.newUserId };
  await seedAccounts(database, [clerk], tools);
  await seedAccounts(database, [{ ...clerk, password: "second password", scopes: ["customer"] }], tools);
  const { token } = await logIn(deps, { email: "clerk@shop.test", password: "first password" });
  expect(decodeJwt(token).scope).toBe("customer warehouse");
});
