import { AckPolicy, type Consumer, DeliverPolicy } from "@nats-io/jetstream";
import type { Random } from "../contract/clock.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";
import { backoffMs, waitFor } from "./backoff.ts";
import type { HandleBatch } from "./batch.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import type { Delivery } from "./delivery.ts";
import { startPull } from "./pull.ts";
import { failureBackoff, startSessionLoop } from "./session-loop.ts";
import { nanoseconds } from "./streams.ts";
import { commonSubject } from "./subjects.ts";

export interface DurableConsumerOptions {
  /** Names the consumer. */
  readonly service: string;
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  readonly subjects: readonly string[];
  readonly batchSize: number;
  readonly gatherMs?: number | undefined;
  readonly ackWaitMs: number;
  readonly random: Random;
  /** Settles each event of the batch. Rejects when what it needs is away: then it is asked again, for as long as that takes. */
  readonly handleBatch: HandleBatch;
}

/** Unacknowledged events of all instances of a service together. */
const ackPendingMax = 1_000;

/** Hands a durable consumer's events over in batches until disposed of; then what it has begun is finished, and the rest given back. */
export function startDurableConsumer(options: DurableConsumerOptions): AsyncDisposable {
  const { service, broker, telemetry, batchSize, ackWaitMs, random, handleBatch } = options;
  const filter = commonSubject(options.subjects);
  const stopping = new AbortController();
  const log = createTransitionLog(telemetry.logger, "consumer cannot work", "consumer works again");

  /** However long what handlers need is away: giving events back would have them counted as delivered, and buried in the end. */
  const work = async (session: BrokerSession, batch: readonly Delivery[]): Promise<void> => {
    for (let failures = 1; ; failures += 1) {
      try {
        await handleBatch(session, batch);
        return log.worked();
      } catch (error) {
        log.failed(error);
        await waitFor(backoffMs(failureBackoff, failures, random), stopping.signal);
        if (stopping.signal.aborted) break;
      }
    }
    for (const delivery of batch) delivery.putBack();
  };

  const consume = async (session: BrokerSession): Promise<void> => {
    const consumer = await ensureConsumer(session, broker.events.name, service, filter, ackWaitMs);
    log.worked();
    const pull = startPull(consumer, batchSize);
    const ends = AbortSignal.any([stopping.signal, session.lost]);
    ends.addEventListener("abort", pull.stop);
    let batch: Delivery[] = [];
    const keeping = setInterval(() => {
      if (session.lost.aborted) return;
      pull.keep();
      for (const delivery of batch) if (!delivery.isSettled()) delivery.keep();
    }, ackWaitMs / 3);
    try {
      while (!ends.aborted) {
        batch = await pull.take(batchSize, options.gatherMs);
        if (batch.length > 0) await work(session, batch);
      }
    } finally {
      clearInterval(keeping);
      ends.removeEventListener("abort", pull.stop);
      await pull.end();
    }
  };

  return startSessionLoop({ broker, random, stopping, log, work: consume });
}

/** Makes the service's durable consumer, or changes it to what is wanted now. */
async function ensureConsumer(
  session: BrokerSession,
  stream: string,
  service: string,
  filter: string,
  ackWaitMs: number,
): Promise<Consumer> {
  await session.manager.consumers.add(stream, {
    durable_name: service,
    // One filter only: nats-server 2.9 knows no filter_subjects. What no handler wants is acknowledged and forgotten.
    filter_subject: filter,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanoseconds(ackWaitMs),
    max_ack_pending: ackPendingMax,
    // Unlimited: dead-letter.ts says why.
    max_deliver: -1,
  });
  return await session.jetstream.consumers.get(stream, service);
}
