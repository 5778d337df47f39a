import type { Clock } from "../contract/clock.ts";
import type { Instance } from "../contract/discovery.ts";
import { createKnownInstances, type KnownInstances, sameInstance } from "../discovery/known-instances.ts";
import { createListeningClock } from "./listening-clock.ts";

export interface LiveInstancesOptions {
  readonly clock: Clock;
  /** How often a live instance says that it is. */
  readonly refreshIntervalMs: number;
  /** One that was not heard for so long, while others were, has died without a word. */
  readonly expiryMs: number;
}

/** The instances of all services, as they say that they live. */
export interface LiveInstances {
  of(service: string): KnownInstances;
  /** How many are known, by service. */
  counts(): ReadonlyMap<string, number>;
  /** @param key which instance it is, whatever it says of itself */
  put(service: string, key: string, instance: Instance): void;
  leave(service: string, key: string): void;
  /** Forgets those who have fallen silent. */
  sweep(): void;
}

/** Of one namespace: what is more is not taken, so that nobody can fill our memory. */
export const instancesMax = 10_000;

interface Service {
  readonly known: KnownInstances;
  readonly live: Map<string, { readonly instance: Instance; readonly heardAt: number }>;
}

export function createLiveInstances(options: LiveInstancesOptions): LiveInstances {
  const listening = createListeningClock(options.clock, options.refreshIntervalMs);
  const services = new Map<string, Service>();
  const changed = new Set<Service>();
  let size = 0;

  const open = (name: string): Service => {
    const service = services.get(name) ?? { known: createKnownInstances(), live: new Map() };
    services.set(name, service);
    return service;
  };
  /** What comes at once, as at the start, is one change. */
  const tell = (service: Service): void => {
    changed.add(service);
    if (changed.size === 1) queueMicrotask(tellAll);
  };
  const tellAll = (): void => {
    for (const { known, live } of changed) known.replace([...live.values()].map(({ instance }) => instance));
    changed.clear();
  };

  return {
    of: (name) => open(name).known,
    counts: () => new Map([...services].map(([name, { known }]) => [name, known.current.length])),
    put(name, key, instance) {
      listening.heard();
      if (size >= instancesMax && !services.get(name)?.live.has(key)) return;
      const service = open(name);
      const before = service.live.get(key);
      service.live.set(key, { instance, heardAt: listening.now() });
      if (before === undefined) size += 1;
      if (before === undefined || !sameInstance(before.instance, instance)) tell(service);
    },
    leave(name, key) {
      listening.heard();
      const service = services.get(name);
      if (!service?.live.delete(key)) return;
      size -= 1;
      tell(service);
    },
    sweep() {
      const oldest = listening.now() - options.expiryMs;
      for (const service of services.values()) {
        const silent = [...service.live].filter(([, { heardAt }]) => heardAt < oldest);
        // All at once: they may all have been taken from the source, and live.
        if (silent.length === 0 || silent.length === service.live.size) continue;
        for (const [key] of silent) service.live.delete(key);
        size -= silent.length;
        tell(service);
      }
    },
  };
}
