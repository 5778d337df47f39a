import type { Histogram, Meter } from "@opentelemetry/api";

/** Bucket bounds of every duration, in seconds: from an in-process call to the longest deadline. */
export const durationBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A histogram of durations in seconds, as OpenTelemetry's semantic conventions have them. */
export function createDurationHistogram(meter: Meter, name: string, description: string): Histogram {
  const advice = { explicitBucketBoundaries: durationBoundaries };
  return meter.createHistogram(name, { unit: "s", description, advice });
}
