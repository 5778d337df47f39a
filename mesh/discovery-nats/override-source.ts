import type { OverrideSource } from "../contract/override-source.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type Bucket, createBucket } from "./bucket.ts";
import type { Link } from "./link.ts";

const bucketName = "weft_overrides";
/** Longer than an override may hold. */
const bucketMaxAgeMs = 8 * 86_400_000;
const bucketBytesMax = 64 * 1024 ** 2;
/** Nobody says the same thing twice here: what a process has missed it reads so much later. */
const readAgainIntervalMs = 30_000;

export interface NatsOverridesOptions {
  readonly link: Link;
  readonly namespace: string;
  readonly telemetry: Telemetry;
}

/** The bucket in which overrides are kept. */
export function createOverrideBucket({ link, telemetry }: Omit<NatsOverridesOptions, "namespace">): Bucket {
  return createBucket({ link, telemetry, name: bucketName, maxAgeMs: bucketMaxAgeMs, maxBytes: bucketBytesMax });
}

/** Hears the overrides of a namespace. */
export function createNatsOverrideSource(options: NatsOverridesOptions): OverrideSource {
  const { namespace } = options;
  const bucket = createOverrideBucket(options);
  return {
    namespace,
    watch: (onOverride) =>
      bucket.watch(
        `${namespace}.>`,
        ({ key, value }) => onOverride(key.slice(namespace.length + 1), value),
        readAgainIntervalMs,
      ),
  };
}
