import type { Code } from "@connectrpc/connect";
import { type Attributes, type HrTime, ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type HistogramMetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import type { Clock } from "../contract/clock.ts";
import { statusName } from "../contract/grpc-status.ts";
import { durationBoundaries } from "./duration-histogram.ts";

const boundariesMs = durationBoundaries.map((seconds) => seconds * 1000);
const statusCount = 17;
const unknownStatus = 2;

/** How long the calls of one method took, by their status ("rpc.status_code"). */
export interface CallDurations {
  /** Counts a call that has ended: a few additions, no more. */
  record(code: Code | 0, ms: number): void;
}

/** Histograms that are plain counters until OpenTelemetry collects them. */
export interface CallMetrics extends MetricProducer {
  /** The durations of a metric with these attributes; the same ones when asked again. */
  durations(name: string, description: string, attributes: Attributes): CallDurations;
}

interface Metric {
  readonly name: string;
  readonly description: string;
  readonly methods: Map<string, MethodDurations>;
}

/**
 * Creates the histograms of calls. OpenTelemetry's own look a call's attributes up in a map, by a text made of them; ours are looked up
 * once for each method. In a scrape they look the same.
 */
export function createCallMetrics(resource: Resource, clock: Clock): CallMetrics {
  const metrics = new Map<string, Metric>();
  const startTime = hrTime(clock.now());
  return {
    durations(name, description, attributes) {
      const metric = metrics.get(name) ?? { name, description, methods: new Map() };
      metrics.set(name, metric);
      const key = JSON.stringify(attributes);
      const known = metric.methods.get(key) ?? new MethodDurations(attributes);
      metric.methods.set(key, known);
      return known;
    },
    collect() {
      const endTime = hrTime(clock.now());
      const all = [...metrics.values()].map((metric) => toData(metric, startTime, endTime));
      const counted = all.filter(({ dataPoints }) => dataPoints.length > 0);
      const scopeMetrics = [{ scope: { name: "@weft/mesh" }, metrics: counted }];
      return Promise.resolve({ resourceMetrics: { resource, scopeMetrics }, errors: [] });
    },
  };
}

/** Counts of one method with one status. */
interface Series {
  readonly buckets: number[];
  count: number;
  sumMs: number;
}

class MethodDurations implements CallDurations {
  readonly attributes: Attributes;
  readonly series: (Series | undefined)[] = new Array(statusCount).fill(undefined);

  constructor(attributes: Attributes) {
    this.attributes = attributes;
  }
  record(code: Code | 0, ms: number): void {
    const series = this.series[code] ?? this.#begin(code);
    // Most calls are in the first buckets: a search by halves would cost more.
    let bucket = 0;
    while (bucket < boundariesMs.length && ms > (boundariesMs[bucket] as number)) bucket += 1;
    series.buckets[bucket] = (series.buckets[bucket] as number) + 1;
    series.count += 1;
    series.sumMs += ms;
  }
  #begin(code: Code | 0): Series {
    const known = code >= 0 && code < statusCount ? code : unknownStatus;
    const series = this.series[known] ?? { buckets: new Array(boundariesMs.length + 1).fill(0), count: 0, sumMs: 0 };
    this.series[known] = series;
    return series;
  }
}

function toData({ name, description, methods }: Metric, startTime: HrTime, endTime: HrTime): HistogramMetricData {
  const dataPoints: DataPoint<Histogram>[] = [];
  for (const { attributes, series } of methods.values()) {
    for (const [code, counts] of series.entries()) {
      if (counts === undefined) continue;
      const value = {
        buckets: { boundaries: durationBoundaries, counts: counts.buckets.slice() },
        count: counts.count,
        sum: counts.sumMs / 1000,
      };
      const own = { ...attributes, "rpc.status_code": statusName(code) };
      dataPoints.push({ startTime, endTime, attributes: own, value });
    }
  }
  return {
    descriptor: { name, description, unit: "s", valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints,
  };
}

function hrTime(epochMs: number): HrTime {
  return [Math.trunc(epochMs / 1000), Math.trunc((epochMs % 1000) * 1e6)];
}
