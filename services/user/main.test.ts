import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { runAs } from "@weft/mesh/context";
import { errorReason } from "@weft/mesh/contract";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type ProfileUpdated,
  ProfileUpdatedSchema,
  type UserRegistered,
  UserRegisteredSchema,
} from "../../gen/shop/user/v1/events_pb.ts";
import { UserService } from "../../gen/shop/user/v1/user_pb.ts";
import { createTestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";

const resources = new AsyncDisposableStack();
/** All that the service has logged, and all that it has sent to the collector of traces. */
const written: string[] = [];
let service: AsyncDisposable;
let users: Client<typeof UserService>;
let registered: readonly UserRegistered[];
let updated: readonly ProfileUpdated[];

beforeAll(async () => {
  const mesh = resources.use(await createTestMesh(["user"]));
  const collector = createServer(async (request, response) => {
    // The protobuf has its texts in clear.
    for await (const chunk of request) written.push(String(chunk));
    response.end();
  }).listen(0, "127.0.0.1");
  resources.defer(() => void collector.close());
  await once(collector, "listening");
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => written.push(String(chunk)) > 0);
  const port = (collector.address() as AddressInfo).port;
  const env = { ...mesh.env("user"), LOG_LEVEL: "debug", OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
  service = await start(loadConfig(env));
  resources.use(service);
  registered = await mesh.watch(UserRegisteredSchema);
  updated = await mesh.watch(ProfileUpdatedSchema);
  users = await mesh.client(UserService, "user");
});
afterAll(async () => {
  await resources.disposeAsync();
  vi.restoreAllMocks();
});

const password = "correct horse battery";
const failure = async (work: Promise<unknown>) => {
  const error = await work.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("the call succeeded");
  return error;
};

test("who has registered can log in, and the token is verified with the published keys", async () => {
  const { user } = await users.register({ email: "Ada@Example.com", password, displayName: "Ada" });
  expect(user).toMatchObject({ email: "ada@example.com", displayName: "Ada" });
  const answer = await users.logIn({ email: "ada@example.COM", password });
  expect(answer.user).toEqual(user);
  expect(answer.expiresIn?.seconds).toBe(900n);
  const { jwksJson } = await users.getJwks({});
  const { payload } = await jwtVerify(answer.accessToken, createLocalJWKSet(JSON.parse(jwksJson)), {
    ...{ algorithms: ["ES256"], issuer: "https://shop.test", audience: "shop", typ: "at+jwt" },
  });
  expect(payload).toMatchObject({ sub: user?.userId, scope: "customer" });
});

test("a registration is told of with what a letter of welcome needs", async () => {
  const { user } = await users.register({ email: "bob@example.com", password, displayName: "Bob" });
  const told = () => registered.filter((event) => event.userId === user?.userId);
  await vi.waitFor(() => expect(told()).toMatchObject([{ email: "bob@example.com", displayName: "Bob" }]), 15_000);
});

test("a taken address is ALREADY_EXISTS naming the field", async () => {
  await users.register({ email: "carol@example.com", password, displayName: "Carol" });
  const error = await failure(users.register({ email: "CAROL@example.com", password, displayName: "Carol" }));
  expect([error.code, errorReason(error)]).toEqual([Code.AlreadyExists, "EMAIL_TAKEN"]);
  expect(error.findDetails(BadRequestSchema)).toMatchObject([{ fieldViolations: [{ field: "email" }] }]);
});

test("a wrong password and an unknown address are answered alike", async () => {
  await users.register({ email: "dan@example.com", password, displayName: "Dan" });
  const wrong = await failure(users.logIn({ email: "dan@example.com", password: "not his" }));
  const unknown = await failure(users.logIn({ email: "nobody@example.com", password: "not his" }));
  expect([wrong.code, errorReason(wrong)]).toEqual([Code.Unauthenticated, "BAD_CREDENTIALS"]);
  expect([unknown.code, unknown.rawMessage]).toEqual([wrong.code, wrong.rawMessage]);
});

test("a short password and a malformed address are refused, each named", async () => {
  const error = await failure(users.register({ email: "nowhere", password: "short", displayName: "Eve" }));
  expect(error.code).toBe(Code.InvalidArgument);
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  expect(violations.map(({ field }) => field)).toEqual(["email", "password"]);
});

describe("a profile", () => {
  const signUp = async (email: string) => {
    const { user } = await users.register({ email, password, displayName: "Ada" });
    const userId = user?.userId ?? "";
    const as = <T>(call: () => T) => runAs({ endUser: { userId, scopes: ["customer"] } }, call);
    return { userId, as };
  };

  test("is its owner's, changes by mask, and is told of with all its fields", async () => {
    const { userId, as } = await signUp("profile@example.com");
    const before = await as(() => users.getProfile({}));
    expect(before.profile).toMatchObject({
      userId,
      email: "profile@example.com",
      displayName: "Ada",
      notifyByEmail: true,
    });
    const profile = { phone: "+4930123456", notifyBySms: true, displayName: "not named" };
    const request = { profile, updateMask: { paths: ["phone", "notify_by_sms"] } };
    const answer = await as(() => users.updateProfile(request));
    expect(answer.profile).toMatchObject({ displayName: "Ada", phone: "+4930123456", notifyBySms: true, version: 2n });
    expect(await as(() => users.updateProfile(request))).toEqual(answer);
    const told = () => updated.filter((event) => event.userId === userId);
    await vi.waitFor(
      () =>
        expect(told()).toMatchObject([
          {
            email: "profile@example.com",
            displayName: "Ada",
            phone: "+4930123456",
            notifyByEmail: true,
            notifyBySms: true,
          },
        ]),
      15_000,
    );
  });

  test("is nobody's who has not logged in, and not for tokens without the scope", async () => {
    expect((await failure(users.getProfile({}))).code).toBe(Code.Unauthenticated);
    const { userId } = await signUp("profile.scope@example.com");
    const call = runAs({ endUser: { userId, scopes: ["warehouse"] } }, () => users.getProfile({}));
    expect((await failure(call)).code).toBe(Code.PermissionDenied);
  });

  test.each([
    ["a mask of a field that cannot be changed", { profile: {}, updateMask: { paths: ["email"] } }, "update_mask"],
    ["no mask", { profile: {} }, "update_mask"],
    ["an empty mask", { profile: {}, updateMask: {} }, "update_mask"],
    ["no profile", { updateMask: { paths: ["phone"] } }, "profile"],
    [
      "a phone number without a country",
      { profile: { phone: "030123456" }, updateMask: { paths: ["phone"] } },
      "profile.phone",
    ],
    [
      "a push token that is a URL",
      { profile: { pushToken: "http://x" }, updateMask: { paths: ["push_token"] } },
      "profile.push_token",
    ],
    [
      "a name like a novel",
      { profile: { displayName: "x".repeat(101) }, updateMask: { paths: ["display_name"] } },
      "profile.display_name",
    ],
    ["an empty name", { profile: {}, updateMask: { paths: ["display_name"] } }, "profile.display_name"],
  ])("is refused %s, naming the field", async (what, request, field) => {
    const { as } = await signUp(`${what.replaceAll(/[^a-z]/gi, "")}@example.com`);
    const error = await failure(as(() => users.updateProfile(request)));
    const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
    expect([error.code, violations.map((violation) => violation.field)]).toEqual([Code.InvalidArgument, [field]]);
  });
});

test("neither a password nor an address is ever logged or traced", async () => {
  const person = { email: "secret.person@example.com", password: "secret-password-1", displayName: "Secret Name" };
  await users.register(person);
  await Promise.all([users.register(person), users.register(person)].map(failure));
  await failure(users.register({ ...person, email: "secret.person@", password: "secret" }));
  await failure(users.logIn({ ...person, password: "secret-password-2" }));
  const { accessToken, user } = await users.logIn(person);
  const secrets = { phone: "+4915755555555", pushToken: "secret-device" };
  const endUser = { userId: user?.userId ?? "", scopes: ["customer"] };
  const updateMask = { paths: ["phone", "push_token"] };
  await runAs({ endUser }, () => users.updateProfile({ profile: secrets, updateMask }));
  const bad = { ...secrets, phone: "4915755555555" };
  await failure(runAs({ endUser }, () => users.updateProfile({ profile: bad, updateMask })));
  // Its end sends what is still queued.
  await service[Symbol.asyncDispose]();
  const text = written.join("");
  expect(text).toContain("user.addAccount");
  expect(text).toContain('"message":"serving"');
  for (const secret of [
    "secret.person",
    "secret-password",
    "Secret Name",
    "15755555555",
    "secret-device",
    accessToken,
  ]) {
    expect(text.toLowerCase()).not.toContain(secret.toLowerCase());
  }
});
