import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import type { Discovery } from "../contract/discovery.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type BucketEntry, createBucket } from "./bucket.ts";
import { decodeInstance, encodeInstance, instanceKey, serviceOfKey } from "./instance-record.ts";
import type { Link } from "./link.ts";
import { createLiveInstances } from "./live-instances.ts";
import { leftReason, type Registration, startRegistration } from "./registration.ts";

export interface NatsDiscoveryOptions {
  readonly link: Link;
  /** Services find those of their own namespace only. */
  readonly namespace: string;
  readonly telemetry: Telemetry;
  /** How often an instance says that it lives. */
  readonly refreshIntervalMs?: number;
  /** When one that says nothing is taken to be dead. */
  readonly expiryMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

const bucketName = "weft_instances";
/** Entries of instances that died, and marks of those that left, stay no longer. */
const bucketMaxAgeMs = 3_600_000;
const bucketBytesMax = 64 * 1024 ** 2;

/**
 * Finds instances in a NATS key-value bucket, where they make themselves known: each puts itself at its start, puts itself again in
 * time, and takes itself out first thing when it drains. What anybody else removes changes nothing for those who know it, and comes back.
 */
export function createNatsDiscovery(options: NatsDiscoveryOptions): Discovery {
  const { link, namespace, telemetry, refreshIntervalMs = 5_000, expiryMs = 4 * refreshIntervalMs } = options;
  const { clock = systemClock, random = Math.random } = options;
  const bucket = createBucket({
    ...{ link, telemetry, random, name: bucketName, maxAgeMs: bucketMaxAgeMs, maxBytes: bucketBytesMax },
  });
  const instances = createLiveInstances({ clock, refreshIntervalMs, expiryMs });
  const own = new Map<string, Registration>();
  const refused = telemetry.meter.createCounter("weft.discovery.refused", {
    description: "Entries of the registry that make no sense",
  });

  const onRemoved = (key: string, reason: string | undefined): void => {
    if (reason === leftReason) instances.leave(serviceOfKey(key), key);
    else own.get(key)?.renew();
  };
  const onPut = (key: string, value: Uint8Array): void => {
    const instance = decodeInstance(value);
    const service = serviceOfKey(key);
    if (key !== instanceKey(namespace, service, instance.address)) throw new Error("it is another's");
    instances.put(service, key, instance);
  };
  const onEntry = ({ key, value, reason }: BucketEntry): void => {
    try {
      if (value === undefined) onRemoved(key, reason);
      else onPut(key, value);
    } catch (error) {
      refused.add(1);
      telemetry.logger.debug("an entry of the registry makes no sense", { key, error });
    }
  };

  const watching = bucket.watch(`${namespace}.>`, onEntry);
  const sweeping = setInterval(instances.sweep, refreshIntervalMs).unref();
  const gauge = telemetry.meter.createObservableGauge("weft.discovery.instances", {
    description: "Instances known of a service",
  });
  const observe: Parameters<typeof gauge.addCallback>[0] = (result) => {
    for (const [service, count] of instances.counts()) result.observe(count, { "server.address": service });
  };
  gauge.addCallback(observe);

  return {
    watch: (service, onChange) => instances.of(service).watch(onChange),
    register(service, instance) {
      const key = instanceKey(namespace, service, instance.address);
      const value = encodeInstance(instance);
      const registration = startRegistration({ bucket, link, key, value, refreshIntervalMs, random });
      own.set(key, registration);
      return {
        async [Symbol.asyncDispose]() {
          own.delete(key);
          await registration[Symbol.asyncDispose]();
        },
      };
    },
    async [Symbol.asyncDispose]() {
      gauge.removeCallback(observe);
      clearInterval(sweeping);
      watching[Symbol.dispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}
