import { deadlineExceeded } from "../context/call-context.ts";
import { bounded } from "../data/bounded.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Broker, BrokerSession } from "./broker.ts";

interface Usage {
  readonly total: number;
  readonly streamBytes: number;
  readonly streamBytesMax: number;
}

/** How long a collector waits for the broker. */
const askTimeoutMs = 1_000;
const bound = {
  limitMs: askTimeoutMs,
  onLimit: () => deadlineExceeded(askTimeoutMs),
  onAbandon: (work: Promise<Usage>) => void work.catch(() => {}),
};

/** Gauges for alerts: a service's dead letters, and how full the stream is that takes those of all. Returns how to stop. */
export function measureDeadLetters(
  { meter }: Telemetry,
  broker: Broker,
  consumer: string,
  readUsage: (session: BrokerSession) => Promise<Usage>,
): () => void {
  const letters = meter.createObservableGauge("weft.dead_letters", {
    description: "Events given up and not redriven yet",
  });
  const used = meter.createObservableGauge("weft.dead_letters.stream_usage", {
    description: "Part of the stream of dead letters, shared by all services, that is full; at 1 it takes no more",
  });
  const attributes = { "messaging.consumer.group.name": consumer };
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = async (result) => {
    // With the broker away there is nothing to say, and its own metrics say so.
    if (!broker.isConnected()) return;
    const ask = async () => readUsage(await broker.session(AbortSignal.timeout(askTimeoutMs)));
    const usage = await bounded(bound, ask).catch(() => undefined);
    if (usage === undefined) return;
    result.observe(letters, usage.total, attributes);
    if (usage.streamBytesMax > 0) result.observe(used, usage.streamBytes / usage.streamBytesMax, attributes);
  };
  meter.addBatchObservableCallback(observe, [letters, used]);
  return () => meter.removeBatchObservableCallback(observe, [letters, used]);
}
