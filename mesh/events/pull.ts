import type { Consumer, ConsumerMessages } from "@nats-io/jetstream";
import { createAlarm } from "./alarm.ts";
import { waitFor } from "./backoff.ts";
import { createDelivery, type Delivery } from "./delivery.ts";

/** Deliveries that have arrived and wait to be taken. */
export interface Pull {
  /**
   * Takes what is there, at most count, waiting for the first and then gatherMs for others; empty when the pull has ended. Rejects with
   * what ended it.
   */
  take(count: number, gatherMs?: number): Promise<Delivery[]>;
  /** Asks for no more. */
  stop(): void;
  /** Tells the server that what is waiting here is not lost. */
  keep(): void;
  /** Stops, and gives back what was not taken. */
  end(): Promise<void>;
}

/** How long a request for events stays open. The server gives a sign of life each half of it; two missing ones end the pull. */
const fetchMs = 4_000;

/**
 * Asks the server for events, again and again. By `fetch` and not by `consume`: what has arrived must be visible here, to keep it
 * alive on the server and to form batches; and `consume` survives the deletion of its consumer in silence, `fetch` rejects.
 */
export function startPull(consumer: Consumer, queueLengthMax: number): Pull {
  const queue: Delivery[] = [];
  const arrived = createAlarm();
  const room = createAlarm();
  const stopping = new AbortController();
  let fetching: ConsumerMessages | undefined;
  let stopped = false;
  let failure: unknown;

  const run = async () => {
    try {
      while (!stopped) {
        fetching = await consumer.fetch({ max_messages: queueLengthMax, expires: fetchMs });
        if (stopped) fetching.stop();
        for await (const message of fetching) {
          queue.push(createDelivery(message));
          arrived.ring();
        }
        while (queue.length > queueLengthMax / 2 && !stopped) await room.sleep(fetchMs);
      }
    } catch (error) {
      failure = error;
    } finally {
      stopped = true;
      arrived.ring();
    }
  };

  const running = run();
  const stop = () => {
    stopped = true;
    stopping.abort();
    fetching?.stop();
    arrived.ring();
    room.ring();
  };
  return {
    async take(count, gatherMs = 0) {
      while (queue.length === 0 && !stopped) await arrived.sleep(fetchMs);
      if (gatherMs > 0 && queue.length < count) await waitFor(gatherMs, stopping.signal);
      if (queue.length === 0 && failure !== undefined) throw failure;
      const taken = queue.splice(0, count);
      room.ring();
      return taken;
    },
    stop,
    keep: () => {
      for (const delivery of queue) delivery.keep();
    },
    async end() {
      stop();
      await running;
      for (const delivery of queue.splice(0)) delivery.putBack();
    },
  };
}
