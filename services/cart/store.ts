import { Code, ConnectError } from "@connectrpc/connect";
import type { RedisConnection } from "@weft/mesh/cache";
import { rpcError } from "@weft/mesh/contract";
import { type Cart, type Line, noCart } from "./domain.ts";
import type { CartStore, KeptAnswer } from "./usecases.ts";

/** A cart that nobody changes for so long is gone. */
export const ttlMs = 30 * 86_400_000;

/** JSON as it lies in Redis: short names, and the price as text, since JSON has no integers of 64 bits. */
interface StoredCart {
  readonly version: number;
  readonly updatedAtMs: number;
  readonly lines: readonly {
    readonly sku: string;
    readonly quantity: number;
    readonly setAtMs: number;
    readonly name?: string;
    readonly currencyCode?: string;
    readonly minorUnits?: string;
  }[];
}

/** How long the answer to a call with an idempotency key is kept. */
const answerTtlMs = 86_400_000;

/**
 * Stores all values, or none if one is not what it was ("" if it was not there): 1 or 0. With an answer to keep ("" for none), that too; or nothing if
 * the answer's key has one, which is returned. KEYS: the answer's, then carts. ARGV: the answer, its TTL in ms, the carts' TTL, then before and
 * after of each cart.
 */
const saveScript = `
if ARGV[1] ~= '' then
  local kept = redis.call('GET', KEYS[1])
  if kept then return kept end
end
for i = 2, #KEYS do
  if (redis.call('GET', KEYS[i]) or '') ~= ARGV[2 * i] then return 0 end
end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[2 * i + 1], 'PX', ARGV[3]) end
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1`;

/** Carts in Redis, a value each, which is its own mark: what is stored goes in only if nothing else has meanwhile. */
export function createCartStore(redis: Pick<RedisConnection, "run">): CartStore {
  return {
    async find(cartId) {
      const mark = await orAway(() => redis.run("cart.find", (commands) => commands.get(keyOf(cartId))));
      return mark === null ? { cart: noCart, mark: "" } : { cart: parse(mark), mark };
    },

    async save(changes, keep) {
      const keys = [keyOfAnswer(keep?.id ?? ""), ...changes.map(({ cartId }) => keyOf(cartId))];
      const answer = keep === undefined ? "" : JSON.stringify(keep.kept);
      const values = changes.flatMap(({ before, after }) => [before.mark, format(after)]);
      const saved = await orAway(() =>
        redis.run("cart.save", (commands) =>
          commands.eval(saveScript, keys.length, ...keys, answer, answerTtlMs, ttlMs, ...values),
        ),
      );
      return typeof saved === "string" ? parseAnswer(saved) : saved === 1;
    },

    async findAnswer(id) {
      const kept = await orAway(() => redis.run("cart.findAnswer", (commands) => commands.get(keyOfAnswer(id))));
      return kept === null ? undefined : parseAnswer(kept);
    },
  };
}

/** One hash tag for all, since a merge touches two carts at once: in a cluster the carts lie on one node. */
function keyOf(cartId: string): string {
  return `{cart}:${cartId}`;
}

/** On the same node: an answer is kept together with what it tells of, or not at all. */
function keyOfAnswer(id: string): string {
  return `{cart}:answer:${id}`;
}

function parseAnswer(text: string): KeptAnswer {
  const { requestHash, answer } = JSON.parse(text) as KeptAnswer;
  return { requestHash, answer };
}

function format({ version, updatedAtMs, lines }: Cart): string {
  const stored: StoredCart = {
    version,
    updatedAtMs,
    lines: lines.map(({ sku, quantity, setAtMs, seen }) => {
      if (seen === undefined) return { sku, quantity, setAtMs };
      const { currencyCode, minorUnits } = seen.price;
      return { sku, quantity, setAtMs, name: seen.name, currencyCode, minorUnits: String(minorUnits) };
    }),
  };
  return JSON.stringify(stored);
}

function parse(text: string): Cart {
  const { version, updatedAtMs, lines } = JSON.parse(text) as StoredCart;
  return { version, updatedAtMs, lines: lines.map(toLine) };
}

function toLine({ sku, quantity, setAtMs, name, currencyCode, minorUnits }: StoredCart["lines"][number]): Line {
  const known = name !== undefined && currencyCode !== undefined && minorUnits !== undefined;
  const seen = known ? { name, price: { currencyCode, minorUnits: BigInt(minorUnits) } } : undefined;
  return { sku, quantity, setAtMs, seen };
}

/** @throws ConnectError UNAVAILABLE with words for a customer when Redis is away */
async function orAway<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.Unavailable) throw error;
    throw rpcError(Code.Unavailable, "carts are not available right now; browsing and ordering go on", {
      reason: "CARTS_UNAVAILABLE",
      cause: error,
    });
  }
}
