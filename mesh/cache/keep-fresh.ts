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
  readonly caches: readonly Pick<Cache<unknown>, "forgetLocal" | "trustLocalWhile" | "lifeMs">[];
  /** `onRepeatableEvent(PriceChangedSchema, ({ sku }) => products.invalidate([sku]))` */
  readonly handlers: readonly RepeatableHandler[];
}

/** By how much the clocks of this process and of the broker may differ. */
const clockSkewMs = 60_000;

/**
 * Invalidates caches by the domain events that tell of changes, in this process as in every other. While the broker is away, and until
 * what happened meanwhile has been heard, this process's own memory is not used; and what it held before is forgotten, since of what has
 * changed meanwhile Redis and the database may know earlier than the events, which wait for their own way back to the broker.
 *
 * A process begins with the events of as long ago as Redis may hold a value: nobody may have been there to remove it, or able to.
 */
export function keepFresh({ broker, telemetry, caches, handlers }: KeepFreshOptions): Broadcast {
  const onListen = () => {
    for (const cache of caches) cache.forgetLocal();
  };
  const lookbackMs = clockSkewMs + Math.max(0, ...caches.map(({ lifeMs }) => lifeMs));
  const broadcast = startBroadcast({ broker, telemetry, handlers: handlers.map(unawaited), onListen, lookbackMs });
  for (const cache of caches) cache.trustLocalWhile(broadcast.isCurrent);
  return broadcast;

  /** Memory is clean as soon as the handler is called, Redis later: a slow one must not keep the next event from being heard. */
  function unawaited(handler: RepeatableHandler): RepeatableHandler {
    const failed = (error: unknown) => telemetry.logger.warn("a change could not be forgotten", { error });
    return { ...handler, handle: (event) => void Promise.resolve(handler.handle(event)).catch(failed) };
  }
}
