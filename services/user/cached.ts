import { create } from "@bufbuild/protobuf";
import { type Cache, createCache, type RedisConnection } from "@weft/mesh/cache";
import type { Telemetry } from "@weft/mesh/telemetry";
import { type Profile as ProfileMessage, ProfileSchema } from "../../gen/shop/user/v1/user_pb.ts";
import type { Profile } from "./domain.ts";
import type { ProfileReads } from "./usecases.ts";

/** Profiles by user id. Whose profile a caller may see is decided before this is asked: it is his own. */
export type ProfileCache = Cache<ProfileMessage>;

export interface ProfileCacheOptions {
  readonly redis: RedisConnection;
  readonly telemetry: Telemetry;
  readonly ttlMs: number;
}

export function createProfileCache({ redis, telemetry, ttlMs }: ProfileCacheOptions): ProfileCache {
  return createCache({ name: "user.profile", schema: ProfileSchema, redis, telemetry, ttlMs });
}

/** Reads through the cache. For answers, not for decisions: an update reads and locks the store. */
export function createCachedProfiles(store: ProfileReads, profiles: ProfileCache): ProfileReads {
  return {
    async findProfile(userId) {
      const message = await profiles.get(userId, async () => {
        const profile = await store.findProfile(userId);
        return profile && create(ProfileSchema, profile);
      });
      return message && toProfile(message);
    },
  };
}

/** A profile that was kept as the contract has it. */
export function toProfile({ $typeName: _, $unknown: __, ...profile }: ProfileMessage): Profile {
  return profile;
}
