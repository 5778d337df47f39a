export { type Cache, type CacheOptions, createCache } from "./cache.ts";
export { type KeepFreshOptions, keepFresh } from "./keep-fresh.ts";
export { createRedis, type RedisConnection, type RedisOptions } from "./redis.ts";
