import { randomUUID } from "node:crypto";
import type { DescFile } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorReason, readPolicies } from "@weft/mesh/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { file_shop_api_v1_account } from "../../../gen/shop/api/v1/account_pb.ts";
import { file_shop_api_v1_assortment } from "../../../gen/shop/api/v1/assortment_pb.ts";
import { file_shop_api_v1_cart } from "../../../gen/shop/api/v1/cart_pb.ts";
import { file_shop_api_v1_catalog } from "../../../gen/shop/api/v1/catalog_pb.ts";
import { file_shop_api_v1_live } from "../../../gen/shop/api/v1/live_pb.ts";
import { file_shop_api_v1_order } from "../../../gen/shop/api/v1/order_pb.ts";
import { file_shop_api_v1_report } from "../../../gen/shop/api/v1/report_pb.ts";
import { file_shop_api_v1_warehouse } from "../../../gen/shop/api/v1/warehouse_pb.ts";
import { type KeyedMethod, keyedMethods } from "./keyed-methods.ts";
import { type Shop, startShop } from "./shop.ts";

const files: DescFile[] = [
  file_shop_api_v1_account,
  file_shop_api_v1_assortment,
  file_shop_api_v1_cart,
  file_shop_api_v1_catalog,
  file_shop_api_v1_live,
  file_shop_api_v1_order,
  file_shop_api_v1_report,
  file_shop_api_v1_warehouse,
];
const THOUSAND = 1_000;

let shop: Shop;
let methods: KeyedMethod[];
/** Whether answers are lost on their way to the client. */
let losing = false;
beforeAll(async () => {
  shop = await startShop("single");
  methods = await keyedMethods(shop, (next) => async (request) => {
    const response = await next(request);
    if (!losing) return response;
    // Of a stream the answer comes later than its beginning.
    if (response.stream) for await (const _ of response.message);
    throw new ConnectError("the answer is lost", Code.Unavailable);
  });
}, 180_000);
afterAll(() => shop?.[Symbol.asyncDispose]());

/** A call whose caller never learns how it was answered. */
async function lost(call: () => Promise<unknown>): Promise<void> {
  losing = true;
  try {
    await expect(call()).rejects.toThrow("the answer is lost");
  } finally {
    losing = false;
  }
}

const each = async (check: (method: KeyedMethod) => Promise<void>) => {
  for (const method of methods) await check(method);
};

test("every public method that may change something takes a key, or says that nothing lasts of it", () => {
  const all = files.flatMap(({ services }) => services.flatMap((service) => [...readPolicies(service)]));
  const changing = all.filter(([{ idempotency }]) => idempotency !== 1 /* NO_SIDE_EFFECTS */);
  expect(changing.filter(([, { idempotencyKey }]) => idempotencyKey === undefined)).toEqual([]);
  const without = changing.filter(([, { idempotencyKey }]) => idempotencyKey?.source === "none");
  expect(without.map(([{ name }]) => name)).toEqual(["LogIn"]);
  const keyed = changing.filter((entry) => !without.includes(entry)).map(([, { path }]) => path);
  expect(methods.map(({ method }) => `shop.api.v1.${method}`).sort()).toEqual(keyed.sort());
});

test("the same key again is the same answer and no effect, whatever has happened since", () =>
  each(async ({ method, subject }) => {
    const [at, key] = [await subject(), randomUUID()];
    const before = await at.effects();
    const first = await at.call(key);
    expect.soft([method, await at.effects()]).toEqual([method, before + 1]);
    expect.soft([method, await at.call(key)]).toEqual([method, first]);
    await at.meanwhile?.();
    const since = await at.effects();
    expect.soft([method, await at.call(key), await at.effects()]).toEqual([method, first, since]);
  }));

test(
  "of fifty at once with one key, one has the effect and all get its answer",
  () =>
    each(async ({ method, subject }) => {
      const [at, key] = [await subject(), randomUUID()];
      const before = await at.effects();
      const answers = await Promise.all(Array.from({ length: 50 }, () => at.call(key)));
      for (const answer of answers) expect.soft([method, answer]).toEqual([method, answers[0]]);
      expect.soft([method, await at.effects()]).toEqual([method, before + 1]);
    }),
  60_000,
);

test("a key that stands for another request is refused, and has no effect", () =>
  each(async ({ method, subject }) => {
    const [at, key] = [await subject(), randomUUID()];
    await at.call(key);
    const after = await at.effects();
    const refused = (await at.other?.(key).then(
      () => undefined,
      (error: unknown) => ConnectError.from(error),
    )) as ConnectError | undefined;
    if (at.other === undefined) return;
    expect
      .soft([method, refused?.code, refused && errorReason(refused)])
      .toEqual([method, Code.AlreadyExists, "IDEMPOTENCY_KEY_REUSED"]);
    expect.soft([method, await at.effects()]).toEqual([method, after]);
  }));

test("the answer lost after the effect, a thousand times: asked again with the key, each has one effect", async () => {
  expect(methods.reduce((sum, { lost: count }) => sum + count, 0)).toBe(THOUSAND);
  await each(async ({ method, lost: count, subject }) => {
    let effects = 0;
    for (let i = 0; i < count; i += 1) {
      const [at, key] = [await subject(), randomUUID()];
      const before = await at.effects();
      await lost(() => at.call(key));
      await at.call(key);
      effects += (await at.effects()) - before;
    }
    expect.soft([method, effects]).toEqual([method, count]);
  });
}, 300_000);
