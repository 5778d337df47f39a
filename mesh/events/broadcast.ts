import { AckPolicy, type ConsumerInfo, DeliverPolicy } from "@nats-io/jetstream";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import { type Delivery, sortDelivery } from "./delivery.ts";
import { bySubject, type RepeatableHandler } from "./handler.ts";
import { startPull } from "./pull.ts";
import { startSessionLoop } from "./session-loop.ts";
import { nanoseconds } from "./streams.ts";
import { commonSubject } from "./subjects.ts";

export interface BroadcastOptions {
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  readonly handlers: readonly RepeatableHandler[];
  /**
   * Events may have passed unheard: called when listening begins, and after a break that the stream does not reach back over or that
   * was too long to catch up with. What is known only from events is to be forgotten.
   */
  readonly onGap?: () => void;
  /** Called whenever listening begins, or begins again after a break, before `isCurrent` says so. */
  readonly onListen?: () => void;
  /** Where listening begins, or begins anew, that with the events of so long ago; 0 by default: with those that come. */
  readonly lookbackMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A process's own ear on the events. */
export interface Broadcast extends AsyncDisposable {
  /** Whether every event that the broker has stored a moment ago has been handed over. False while the broker is away. */
  isCurrent(): boolean;
}

/** Events asked for at once. */
const queueLengthMax = 256;
/** After a break with more events than this the process begins anew instead of catching up. */
const catchUpMax = 10_000;
/** How often the server is asked whether it still knows us: a listener made while its stream is being deleted lives on, deaf. */
const checkIntervalMs = 3_000;
/** How long the server remembers a listener that has gone without a word. */
const inactiveMs = 30_000;

/**
 * Hands every event to this process, as to every other that listens: for what each holds in its memory (`startConsumer` gives an
 * event to one instance of a service). Begins with the events that come after its start unless told otherwise, keeps the stream's order, goes on after a
 * broken connection where it was. A handler that fails is logged and passed over: nothing is delivered again.
 */
export function startBroadcast(options: BroadcastOptions): Broadcast {
  const { broker, telemetry, onGap = () => {}, onListen = () => {}, lookbackMs = 0 } = options;
  const { clock = systemClock, random = Math.random } = options;
  const { logger, meter } = telemetry;
  const handlers = bySubject(options.handlers);
  const filter = commonSubject([...handlers.keys()]);
  const heard = meter.createCounter("weft.broadcast.events", { description: "Events heard, by what became of them" });
  const log = createTransitionLog(logger, "events cannot be heard", "events are heard again");
  const stopping = new AbortController();
  /** The last event heard, or passed over by the server; undefined as long as nothing was. */
  let lastSequence: number | undefined;
  /** Events that were there when listening began (again) and have not been handed over yet. */
  let behind = Number.POSITIVE_INFINITY;

  const handle = async (delivery: Delivery): Promise<void> => {
    const count = (outcome: string) =>
      heard.add(1, { "messaging.destination.name": delivery.message.subject, outcome });
    const sorted = sortDelivery(delivery, handlers);
    if (sorted.kind === "unwanted") return count("unwanted");
    try {
      if (sorted.kind === "unreadable") throw sorted.cause;
      await sorted.work.handler.handle(sorted.work.event);
      count("handled");
    } catch (error) {
      count("failed");
      const { subject, seq } = delivery.message;
      logger.warn("a broadcast event could not be handled", { subject, stream_sequence: seq, error });
    }
  };

  const beginning = () =>
    lookbackMs === 0
      ? { deliver_policy: DeliverPolicy.New }
      : {
          deliver_policy: DeliverPolicy.StartTime,
          opt_start_time: new Date(clock.now() - lookbackMs).toISOString(),
        };

  /** Makes the listener, on from the last event heard if that is possible. */
  const subscribe = async (session: BrokerSession): Promise<ConsumerInfo> => {
    const stream = broker.events.name;
    const { first_seq: first, last_seq: last } = (await session.manager.streams.info(stream)).state;
    const resumable =
      lastSequence !== undefined &&
      first <= lastSequence + 1 &&
      last >= lastSequence &&
      last - lastSequence <= catchUpMax;
    const info = await session.manager.consumers.add(stream, {
      filter_subject: filter,
      ack_policy: AckPolicy.None,
      inactive_threshold: nanoseconds(inactiveMs),
      mem_storage: true,
      ...(resumable && lastSequence !== undefined
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: lastSequence + 1 }
        : beginning()),
    });
    if (!resumable) {
      // Of what came between the two questions the listener hears: it counts as heard only from its own start on.
      lastSequence = info.delivered.stream_seq;
      onGap();
    }
    onListen();
    behind = info.num_pending;
    return info;
  };

  const listen = async (session: BrokerSession): Promise<void> => {
    const { name } = await subscribe(session);
    const pull = startPull(await session.jetstream.consumers.get(broker.events.name, name), queueLengthMax);
    const deaf = new AbortController();
    const checking = setInterval(() => {
      session.manager.consumers.info(broker.events.name, name).catch((error: unknown) => deaf.abort(error));
    }, checkIntervalMs);
    const ends = AbortSignal.any([stopping.signal, session.lost, deaf.signal]);
    ends.addEventListener("abort", pull.stop);
    log.worked();
    let expected = 1;
    try {
      while (!ends.aborted) {
        for (const delivery of await pull.take(queueLengthMax)) {
          // Without acknowledgements the server sends nothing twice, so what is lost on the way shows here.
          const { deliverySequence, streamSequence } = delivery.message.info;
          if (deliverySequence !== expected) throw new Error("an event was lost on its way");
          expected += 1;
          await handle(delivery);
          lastSequence = streamSequence;
          behind = Math.max(0, behind - 1);
        }
      }
      deaf.signal.throwIfAborted();
    } finally {
      clearInterval(checking);
      behind = Number.POSITIVE_INFINITY;
      ends.removeEventListener("abort", pull.stop);
      await pull.end();
      if (!session.lost.aborted) await session.manager.consumers.delete(broker.events.name, name).catch(() => {});
    }
  };

  const loop = startSessionLoop({ broker, random, stopping, log, work: listen });
  return {
    isCurrent: () => behind === 0 && broker.isConnected(),
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}
