import { Code, ConnectError } from "@connectrpc/connect";
import { deadlineExceeded, runDetached } from "../context/call-context.ts";
import { type Clock, type Random, systemClock } from "../contract/clock.ts";
import { bounded } from "../data/bounded.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Broker } from "./broker.ts";
import type { Consumer } from "./consumer.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { startDurableConsumer } from "./durable-consumer.ts";
import { bySubject, type RepeatableHandler } from "./handler.ts";
import { createRepeatableRedrive } from "./redrive.ts";
import { createSettlement } from "./settlement.ts";

export interface RepeatableConsumerOptions {
  /** Names the durable consumer: all instances of a service share the work. */
  readonly service: string;
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  readonly handlers: readonly RepeatableHandler[];
  /** After this many deliveries an event is a dead letter; 10 by default. */
  readonly maxDeliveries?: number;
  /** Events in hand at most, 64 by default. */
  readonly batchSize?: number;
  /** Time of one event; 10 s by default. */
  readonly handlerTimeoutMs?: number;
  /** An event is delivered again when its consumer has given no sign of life for this long; 10 s by default. */
  readonly ackWaitMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/**
 * Handles a service's events in the background, for a service without a database: with no inbox an event may be handled more than
 * once, so its handler must not mind. None is lost while the service is away. A handler that throws UNAVAILABLE (what it writes to
 * is away) is asked again for as long as that takes; any other failure counts against the event, as with `startConsumer`.
 */
export function startRepeatableConsumer(options: RepeatableConsumerOptions): Consumer {
  const { service, broker, telemetry, batchSize = 64, ackWaitMs = 10_000, clock = systemClock } = options;
  const { maxDeliveries = 10, handlerTimeoutMs = 10_000, random = Math.random } = options;
  const handlers = bySubject(options.handlers);
  const settlement = createSettlement({
    consumer: service,
    deadLetterPrefix: broker.deadLetters.prefix,
    ...{ telemetry, clock, random, maxDeliveries },
  });
  const bound = { limitMs: handlerTimeoutMs, onLimit: () => deadlineExceeded(handlerTimeoutMs), onAbandon: () => {} };
  const deadLetters = createDeadLetters({
    redrive: createRepeatableRedrive(handlerTimeoutMs),
    ...{ service, broker, telemetry, handlers, handlerTimeoutMs },
  });
  const running = startDurableConsumer({
    ...{ service, broker, telemetry, batchSize, ackWaitMs, random },
    subjects: [...handlers.keys()],
    async handleBatch(session, batch) {
      for (const work of await settlement.readable(session, batch, handlers)) {
        const { delivery, event, handler } = work;
        if (delivery.count > maxDeliveries) {
          await settlement.letGo(session, delivery, new Error(`no outcome after ${delivery.count - 1} deliveries`));
          continue;
        }
        const handle = () => bounded(bound, async () => handler.handle(event));
        try {
          await settlement.inSpan(work, () =>
            runDetached({ timeoutMs: handlerTimeoutMs }, () => settlement.measure(delivery, handle)),
          );
          settlement.done(delivery, "handled");
        } catch (error) {
          if (isAway(error)) throw error;
          await settlement.fail(session, delivery, error);
        }
      }
    },
  });
  return {
    deadLetters,
    async [Symbol.asyncDispose]() {
      deadLetters[Symbol.dispose]();
      await running[Symbol.asyncDispose]();
    },
  };
}

function isAway(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unavailable;
}
