import { generateKeyPairSync } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { exportJWK } from "jose";
import { describe, expect, test } from "vitest";
import { createJwksCache } from "./jwks.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function jwks(...kids: string[]): Promise<string> {
  const keys = kids.map(async (kid) => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" };
  });
  return JSON.stringify({ keys: await Promise.all(keys) });
}

/** A cache over a user service that answers what `answer` says, and a clock that stands. */
function setUp(answer: () => Promise<string>) {
  let nowMs = 0;
  let asked = 0;
  const find = createJwksCache({
    fetchJwks: () => {
      asked += 1;
      return answer();
    },
    clock: { now: () => nowMs, monotonic: () => nowMs },
    logger: silent,
  });
  return {
    find,
    asked: () => asked,
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

const away = () => Promise.reject(new ConnectError("away", Code.Unavailable));

describe("the cache of token keys", () => {
  test("asks once for calls that come together, and not again for a key it has", async () => {
    const { find, asked } = setUp(() => jwks("k1"));
    const found = await Promise.all([find("k1"), find("k1"), find("k1")]);
    expect(found.every((key) => key !== undefined)).toBe(true);
    await find("k1");
    expect(asked()).toBe(1);
  });

  test("asks again for an unknown key id, but not more than once in three seconds", async () => {
    let kids = ["k1"];
    const { find, asked, pass } = setUp(() => jwks(...kids));
    await find("k1");
    kids = ["k1", "k2"];
    for (let i = 0; i < 100; i++) expect(await find(`made-up-${i}`)).toBeUndefined();
    expect(asked()).toBe(1);
    pass(3_000);
    expect(await find("k2")).toBeDefined();
    expect(asked()).toBe(2);
  });

  test("serves the keys it has while the user service is away", async () => {
    let answer = () => jwks("k1");
    const { find, pass } = setUp(() => answer());
    await find("k1");
    answer = away;
    pass(24 * 3_600_000);
    expect(await find("k1")).toBeDefined();
    expect(await find("k1")).toBeDefined();
  });

  test("is UNAVAILABLE, not UNAUTHENTICATED, for a key that it could not ask for", async () => {
    let answer: () => Promise<string> = away;
    const { find, asked, pass } = setUp(() => answer());
    await expect(find("k1")).rejects.toMatchObject({ code: Code.Unavailable });
    await expect(find("k1")).rejects.toMatchObject({ code: Code.Unavailable });
    expect(asked()).toBe(1);
    answer = () => jwks("k1");
    pass(3_000);
    expect(await find("k1")).toBeDefined();
  });

  test("forgets a key that was withdrawn, once it has asked again", async () => {
    let kids = ["k1", "k2"];
    const { find, asked, pass } = setUp(() => jwks(...kids));
    await find("k1");
    kids = ["k2"];
    pass(5 * 60_000);
    expect(await find("k1")).toBeDefined();
    await expect.poll(async () => [await find("k1"), asked()]).toEqual([undefined, 2]);
  });

  test.each([
    ["no JSON", async () => "<html>"],
    ["no key set", async () => "{}"],
    ["a set too long", async () => `{"keys":[],"x":"${"x".repeat(70_000)}"}`],
  ])("takes %s for an answer that did not come", async (_, answer) => {
    await expect(setUp(answer).find("k1")).rejects.toMatchObject({ code: Code.Unavailable });
  });

  test("leaves out keys that are not for ES256 signatures", async () => {
    const rsa = await exportJWK(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey);
    const { keys } = JSON.parse(await jwks("good", "for-encryption"));
    keys[1].use = "enc";
    const { find } = setUp(async () =>
      JSON.stringify({ keys: [{ ...rsa, kid: "rsa" }, { kty: "oct", k: "c2VjcmV0", kid: "oct" }, ...keys] }),
    );
    const found = await Promise.all(["good", "for-encryption", "rsa", "oct"].map(find));
    expect(found.map((key) => key !== undefined)).toEqual([true, false, false, false]);
  });
});
