import { type Outbox, onRepeatableEvent, type RepeatableHandler } from "@weft/mesh/events";
import { ProfileUpdatedSchema, UserRegisteredSchema } from "../../gen/shop/user/v1/events_pb.ts";
import type { ProfileCache } from "./cached.ts";
import type { UserEvents } from "./usecases.ts";

/** Tells the rest of the shop through the outbox, in the transaction of the change itself. */
export function createUserEvents(outbox: Pick<Outbox, "append">): UserEvents {
  return {
    async userRegistered(tx, { userId, email, displayName }) {
      await outbox.append(tx, UserRegisteredSchema, { userId, email, displayName }, { version: 1n });
    },
    async profileUpdated(tx, { version, ...message }) {
      await outbox.append(tx, ProfileUpdatedSchema, message, { version });
    },
  };
}

/** Every process of user's hears what any of them has changed. */
export function cacheHandlers(profiles: ProfileCache): RepeatableHandler[] {
  return [onRepeatableEvent(ProfileUpdatedSchema, ({ userId }) => profiles.invalidate([userId]))];
}
