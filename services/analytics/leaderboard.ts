import type { RedisConnection } from "@weft/mesh/cache";
import type { Score } from "./domain.ts";
import type { Leaderboard } from "./usecases.ts";

/** Members that one ZADD of a rebuild adds. */
const chunkLengthMax = 1_000;
/** A leaderboard that nobody finishes goes away by itself. */
const unfinishedTtlSeconds = 120;

/*
 * A sorted set of SKUs. Scores are negated, so that Redis' own order (by score, equals byte by byte) is the list's. The empty member
 * with score 0 tells an empty leaderboard from none. `generation` counts the changes.
 */

/** KEYS: leaderboard. ARGV: limit, and the score and SKU to go on after. */
const listScript = `
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
-- Not Lua's own comparison, which follows the server's locale.
local function isAfter(a, b)
  for i = 1, math.min(#a, #b) do
    if a:byte(i) ~= b:byte(i) then return a:byte(i) > b:byte(i) end
  end
  return #a > #b
end
local first = 0
if ARGV[2] then
  first = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[2])
  local last = first + redis.call('ZCOUNT', KEYS[1], ARGV[2], ARGV[2])
  while first < last do
    local middle = math.floor((first + last) / 2)
    if isAfter(redis.call('ZRANGE', KEYS[1], middle, middle)[1], ARGV[3]) then last = middle else first = middle + 1 end
  end
end
local stop = math.min(first + ARGV[1], redis.call('ZCOUNT', KEYS[1], '-inf', '(0'))
if first >= stop then return {} end
return redis.call('ZRANGE', KEYS[1], first, stop - 1, 'WITHSCORES')`;

/** KEYS: leaderboard, generation. ARGV: score, SKU, score, SKU, ... */
const setScript = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for i = 1, #ARGV, 2 do
  if tonumber(ARGV[i]) < 0 then redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) else redis.call('ZREM', KEYS[1], ARGV[i + 1]) end
end
if #ARGV > 0 then redis.call('INCR', KEYS[2]) end
return 1`;

/** KEYS: leaderboard, generation, the new one. ARGV: the generation before the first score was read. */
const replaceScript = `
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] or redis.call('ZSCORE', KEYS[3], '') ~= '0' then return false end
redis.call('RENAME', KEYS[3], KEYS[1])
redis.call('PERSIST', KEYS[1])
-- Another one under way may have read older scores.
redis.call('INCR', KEYS[2])
return redis.call('ZCARD', KEYS[1]) - 1`;

export interface LeaderboardOptions {
  readonly redis: Pick<RedisConnection, "run">;
  /** Where it lies: the name of the sorted set, and the start of all other names. */
  readonly key: string;
  /** A name that no other leaderboard under way has. */
  readonly newName: () => string;
}

/** The leaderboard in a sorted set. */
export function createLeaderboard({ redis, key, newName }: LeaderboardOptions): Leaderboard {
  // The braces keep all of them in one slot of a cluster.
  const live = `{${key}}`;
  const generation = `{${key}}:generation`;

  return {
    async listTop(after, limit) {
      const position = after === undefined ? [] : [-after.quantity, after.sku];
      const flat = await redis.run("analytics.listTop", (commands) =>
        commands.eval(listScript, 1, live, limit, ...position),
      );
      return flat === null ? undefined : toScores(flat as string[]);
    },

    async set(scores) {
      const pairs = scores.flatMap(({ sku, quantity }) => [-quantity, sku]);
      return (
        (await redis.run("analytics.setScores", (commands) =>
          commands.eval(setScript, 2, live, generation, ...pairs),
        )) === 1
      );
    },

    async replace(scores) {
      const fresh = `{${key}}:${newName()}`;
      const before = (await redis.run("analytics.readGeneration", (commands) => commands.get(generation))) ?? "";
      await redis.run("analytics.beginScores", (commands) =>
        commands.multi().zadd(fresh, 0, "").expire(fresh, unfinishedTtlSeconds).exec(),
      );
      for await (const page of scores) {
        const sold = page.filter(({ quantity }) => quantity > 0).flatMap(({ sku, quantity }) => [-quantity, sku]);
        for (let at = 0; at < sold.length; at += 2 * chunkLengthMax) {
          await redis.run("analytics.addScores", (commands) =>
            commands.zadd(fresh, ...sold.slice(at, at + 2 * chunkLengthMax)),
          );
        }
      }
      const length = await redis.run("analytics.publishScores", (commands) =>
        commands.eval(replaceScript, 3, live, generation, fresh, before),
      );
      if (typeof length === "number") return length;
      await redis.run("analytics.dropScores", (commands) => commands.del(fresh));
      return undefined;
    },
  };
}

function toScores(flat: readonly string[]): Score[] {
  const scores: Score[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [sku = "", score = ""] = flat.slice(at, at + 2);
    scores.push({ sku, quantity: -Number(score) });
  }
  return scores;
}
