import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { errorReason } from "@weft/mesh/contract";
import { BadRequestSchema } from "@weft/mesh/gen/google/rpc/error_details_pb.js";
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type UserRegistered, UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
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

test("neither a password nor an address is ever logged or traced", async () => {
  const person = { email: "secret.person@example.com", password: "secret-password-1", displayName: "Secret Name" };
  await users.register(person);
  await Promise.all([users.register(person), users.register(person)].map(failure));
  await failure(users.register({ ...person, email: "secret.person@", password: "secret" }));
  await failure(users.logIn({ ...person, password: "secret-password-2" }));
  const { accessToken } = await users.logIn(person);
  // Its end sends what is still queued.
  await service[Symbol.asyncDispose]();
  const text = written.join("");
  expect(text).toContain("user.addAccount");
  expect(text).toContain('"message":"serving"');
  for (const secret of ["secret.person", "secret-password", "Secret Name", accessToken]) {
    expect(text.toLowerCase()).not.toContain(secret.toLowerCase());
  }
});
