import type { Broadcast } from "../events/broadcast.ts";
import { startBroadcast } from "../events/broadcast.ts";
import type { Broker } from "../events/broker.ts";
import type { RepeatableHandler } from "../events/handler.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Cache } from "./cache.ts";

export interface KeepFreshOptions {
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  /** The caches that the handlers invalidate. */
  readonly caches: readonly Pick<Cache<unknown>, "forgetLocal" | "trustLocalWhile">[];
  /** `onRepeatableEvent(PriceChangedSchema, ({ sku }) => products.invalidate([sku]))` */
  readonly handlers: readonly RepeatableHandler[];
}

/**
 * Invalidates caches by the domain events that tell of changes, in this process as in every other. While the broker is away, and until
 * what happened meanwhile has been heard, this process's own memory is not used; when something may have been missed, it is forgotten.
 */
export function keepFresh({ broker, telemetry, caches, handlers }: KeepFreshOptions): Broadcast {
  const onGap = () => {
    for (const cache of caches) cache.forgetLocal();
  };
  const broadcast = startBroadcast({ broker, telemetry, handlers, onGap });
  for (const cache of caches) cache.trustLocalWhile(broadcast.isCurrent);
  return broadcast;
}
