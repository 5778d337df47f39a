export { createRedis, type RedisConnection, type RedisOptions } from "./redis.ts";
