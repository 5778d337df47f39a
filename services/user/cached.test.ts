import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { runAs } from "@weft/mesh/context";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserService } from "../../gen/shop/user/v1/user_pb.ts";
import { createTestMesh, type TestMesh } from "../../tools/dev/testing/mesh.ts";
import { loadConfig } from "./config.ts";
import { start } from "./main.ts";

/** Two processes on one schema and one Redis. */
const names = ["user", "user2"] as const;
type Users = Client<typeof UserService>;

const resources = new AsyncDisposableStack();
let mesh: TestMesh;
let users: Users;
let users2: Users;

beforeAll(async () => {
  mesh = resources.use(await createTestMesh(names));
  for (const name of names) {
    resources.use(await start(loadConfig({ ...mesh.env(name), MYSQL_URL: mesh.database("user").url })));
  }
  users = await mesh.client(UserService, "user");
  users2 = await mesh.client(UserService, "user2");
});
afterAll(() => resources.disposeAsync());

/** A customer, and his calls. */
async function signUp(name: string) {
  const { user } = await users.register({ email: `${name}@example.com`, password: "correct horse", displayName: name });
  const endUser = { userId: user?.userId ?? "", scopes: ["customer"] };
  return {
    userId: endUser.userId,
    nameAt: async (each: Users) => (await runAs({ endUser }, () => each.getProfile({}))).profile?.displayName,
    rename: (each: Users, displayName: string) =>
      runAs({ endUser }, () =>
        each.updateProfile({ profile: { displayName }, updateMask: { paths: ["display_name"] } }),
      ),
  };
}

async function databaseReads(): Promise<number> {
  const text = await (await fetch(`http://${mesh.env("user").WEFT_METRICS_ADDR}/metrics`)).text();
  const line = text.split("\n").find((it) => /^db_client_operation_duration\w*_count\{.*user\.findProfile"/.test(it));
  return Number(line?.split(" ").at(-1) ?? 0);
}

test("a profile is read from the database once", async () => {
  const ada = await signUp("ada");
  const before = await databaseReads();
  for (let index = 0; index < 20; index += 1) expect(await ada.nameAt(users)).toBe("ada");
  expect(await databaseReads()).toBe(before + 1);
});

test("a change is in the next answer of the process that made it, and in the other's within a second", async () => {
  const ben = await signUp("ben");
  expect([await ben.nameAt(users), await ben.nameAt(users2)]).toEqual(["ben", "ben"]);
  await ben.rename(users, "Benjamin");
  expect(await ben.nameAt(users)).toBe("Benjamin");
  await expect.poll(() => ben.nameAt(users2), { timeout: 1_000, interval: 10 }).toBe("Benjamin");
});

test("everybody gets his own, also when all ask at once", async () => {
  const people = await Promise.all(
    ["cleo", "dora", "emil", "finn"].map(async (name) => ({ name, ...(await signUp(name)) })),
  );
  for (let round = 0; round < 3; round += 1) {
    const seen = people.flatMap((person) => [person.nameAt(users), person.nameAt(users2)]);
    expect(await Promise.all(seen)).toEqual(people.flatMap(({ name }) => [name, name]));
  }
});

test("a cached profile is refused to who has not logged in and to tokens without the scope", async () => {
  const gina = await signUp("gina");
  await gina.nameAt(users);
  const refusal = async (call: () => Promise<unknown>) =>
    await call().then(
      () => undefined,
      (error: unknown) => ConnectError.from(error).code,
    );
  const warehouse = { endUser: { userId: gina.userId, scopes: ["warehouse"] } };
  expect([
    await refusal(() => users.getProfile({})),
    await refusal(() => runAs(warehouse, () => users.getProfile({}))),
  ]).toEqual([Code.Unauthenticated, Code.PermissionDenied]);
});

test("Redis frozen and stopped: profiles are read, and changes are seen", async () => {
  const hugo = await signUp("hugo");
  const changeTo = async (displayName: string) => {
    await hugo.rename(users, displayName);
    expect(await hugo.nameAt(users)).toBe(displayName);
    await expect.poll(() => hugo.nameAt(users2), { timeout: 1_000, interval: 10 }).toBe(displayName);
  };
  await changeTo("while all is well");
  mesh.redis.kill("SIGSTOP");
  await changeTo("while it is frozen");
  mesh.redis.kill("SIGCONT");
  await changeTo("while it thaws");
  await mesh.redis.stop();
  await changeTo("while it is away");
  await mesh.redis.start();
  await changeTo("when it is back");
});
