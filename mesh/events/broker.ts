import { Code } from "@connectrpc/connect";
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "nats";
import type { Random } from "../contract/clock.ts";
import { rpcError } from "../contract/errors.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";
import { backoffMs, waitFor } from "./backoff.ts";
import { dial, reconnectBackoff } from "./dial.ts";
import { defaultDeadLetterStream, defaultEventStream, type EventStream, ensureStreams } from "./streams.ts";

export interface BrokerOptions {
  /** nats://host:port */
  readonly url: string;
  readonly service: string;
  readonly telemetry: Telemetry;
  readonly events?: EventStream;
  readonly deadLetters?: EventStream;
  readonly random?: Random;
}

/** A message for JetStream. */
export interface OutgoingMessage {
  readonly subject: string;
  /** Nats-Msg-Id: JetStream keeps one message of an id within its duplicate window. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

/** The time from one connect to the next disconnect, in which the streams are there. */
export interface BrokerSession {
  /** Aborted when the connection is gone. */
  readonly lost: AbortSignal;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  /** Makes the streams again, should somebody have deleted them. */
  ensureStreams(): Promise<void>;
  /** Resolves when JetStream has stored it. Rejects at once when the connection is lost. */
  publish(message: OutgoingMessage): Promise<void>;
}

/** A connection to NATS that is kept up for ever, in the background. */
export interface Broker extends AsyncDisposable {
  readonly events: EventStream;
  readonly deadLetters: EventStream;
  isConnected(): boolean;
  /** Waits for as long as it takes. Rejects when the signal aborts or the broker is disposed of. */
  session(signal: AbortSignal): Promise<BrokerSession>;
}

const publishTimeoutMs = 5_000;
const closeTimeoutMs = 2_000;

/** Creates a broker. Returns at once: whether NATS is there is no concern of a service's start. */
export function createBroker(options: BrokerOptions): Broker {
  const { service, telemetry, events = defaultEventStream, deadLetters = defaultDeadLetterStream } = options;
  const random = options.random ?? Math.random;
  const closing = new AbortController();
  const log = createTransitionLog(telemetry.logger, "broker is away", "broker is back");
  let connection: NatsConnection | undefined;
  let lost = new AbortController();
  let current: BrokerSession | undefined;
  let next = Promise.withResolvers<BrokerSession>();

  const open = async (to: NatsConnection, end: AbortController) => {
    const manager = await jetstreamManager(to, { checkAPI: false });
    const session = createSession(to, manager, end.signal, () => ensureStreams(manager, events, deadLetters));
    for (let failures = 1; !end.signal.aborted; failures += 1) {
      try {
        await session.ensureStreams();
        if (end.signal.aborted) return;
        current = session;
        next.resolve(session);
        return log.worked();
      } catch (error) {
        log.failed(error);
        await waitFor(backoffMs(reconnectBackoff, failures, random), end.signal);
      }
    }
  };

  const close = (error: unknown) => {
    lost.abort();
    if (current === undefined) return;
    current = undefined;
    next = Promise.withResolvers();
    if (!closing.signal.aborted) log.failed(error);
  };

  const run = async () => {
    connection = await dial(options.url, service, closing.signal, random, log.failed);
    if (connection === undefined) return;
    let opening = open(connection, lost);
    for await (const status of connection.status()) {
      if (status.type === "disconnect") close(new Error(`connection to ${status.server} lost`));
      if (status.type !== "reconnect") continue;
      await opening;
      lost = new AbortController();
      opening = open(connection, lost);
    }
    close(new Error("connection closed"));
    await opening;
  };

  const running = run();
  const gauge = telemetry.meter.createObservableGauge("weft.broker.connected", {
    description: "1 while connected to NATS, with its streams there",
  });
  const observe: Parameters<typeof gauge.addCallback>[0] = (result) => result.observe(current ? 1 : 0);
  gauge.addCallback(observe);

  return {
    events,
    deadLetters,
    isConnected: () => current !== undefined,
    session: async (signal) =>
      current ?? (await unlessAborted(AbortSignal.any([signal, closing.signal]), next.promise)),
    async [Symbol.asyncDispose]() {
      if (closing.signal.aborted) return;
      gauge.removeCallback(observe);
      const wasConnected = current !== undefined;
      closing.abort();
      // What is written already, acknowledgements above all, still goes out.
      if (wasConnected) await Promise.race([connection?.flush().catch(() => {}), waitFor(closeTimeoutMs, lost.signal)]);
      await connection?.close();
      await running;
    },
  };
}

function createSession(
  connection: NatsConnection,
  manager: JetStreamManager,
  lost: AbortSignal,
  ensure: () => Promise<void>,
): BrokerSession {
  const client = jetstream(connection);
  let ensuring: Promise<void> | undefined;
  const ensureOnce = () => {
    ensuring ??= ensure().finally(() => {
      ensuring = undefined;
    });
    return ensuring;
  };
  return {
    lost,
    jetstream: client,
    manager,
    ensureStreams: ensureOnce,
    async publish(message) {
      const hdrs = headers();
      for (const [name, value] of Object.entries(message.headers)) hdrs.set(name, value);
      const publishing = client.publish(message.subject, message.data, {
        msgID: message.id,
        headers: hdrs,
        timeout: publishTimeoutMs,
      });
      try {
        await unlessAborted(lost, publishing);
      } catch (error) {
        // Nobody listens on the subject: the stream is gone. For the next attempt.
        if (error instanceof Error && error.name === "JetStreamNotEnabled") await ensureOnce().catch(() => {});
        throw error;
      }
    },
  };
}

async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(rpcError(Code.Unavailable, "the broker is not connected"));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
