import { fromBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { SpanKind, trace } from "@opentelemetry/api";
import { currentOtelContext, currentSignal, runAs, runDetached } from "../context/call-context.ts";
import type { DeadLetters, OpenedDeadLetter, RedrivenDeadLetter } from "../contract/dead-letters.ts";
import { errorReason, rpcError } from "../contract/errors.ts";
import { isDatabaseUnavailable } from "../data/errors.ts";
import { EventEnvelopeSchema } from "../gen/weft/v1/event_pb.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import { causeText } from "./dead-letter.ts";
import { createDeadLetterStream, type StoredLetter } from "./dead-letter-stream.ts";
import { measureDeadLetters } from "./dead-letters-metrics.ts";
import { decodeEvent } from "./envelope.ts";
import type { EventKind } from "./handler.ts";
import { HandlerFailure } from "./handler-failure.ts";
import { toMaskedJson } from "./masked-json.ts";
import type { Redrive } from "./redrive.ts";

export interface DeadLettersOptions<Handler extends EventKind> {
  /** The consumer whose letters they are. */
  readonly service: string;
  readonly broker: Broker;
  readonly telemetry: Telemetry;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly redrive: Redrive<Handler>;
  /** Time of one handler. */
  readonly handlerTimeoutMs: number;
}

/** Letters that one look at the list examines, for a cause that few of them have. */
const examinedMax = 2_000;
/** Letters that this process redrives at once. */
const redrivesMax = 4;
/** How long an operator waits for a broker that is away. */
const brokerWaitMs = 2_000;
/** Beside its handler, what a redrive may take: the letter is read, and removed. */
const aroundHandlerMs = 10_000;

/** A consumer's dead letters, for its operators. Disposing ends the measuring. */
export function createDeadLetters<Handler extends EventKind>(
  options: DeadLettersOptions<Handler>,
): DeadLetters & Disposable {
  const { service, broker, telemetry, handlers } = options;
  const stream = createDeadLetterStream(broker.deadLetters, service);
  const ask = createAsk(broker);
  const counter = telemetry.meter.createCounter("weft.dead_letters.redriven", {
    description: "Dead letters by outcome",
  });
  const stopMeasuring = measureDeadLetters(telemetry, broker, service, (session) => stream.usage(session));
  let inHand = 0;

  const redrive = async (stored: StoredLetter, dryRun: boolean): Promise<RedrivenDeadLetter> => {
    const { letterId, subject } = stored.letter;
    const tried = await attempt(options, stored, dryRun);
    if (!dryRun) counter.add(1, { "messaging.destination.name": subject, outcome: tried.outcome });
    const kept = { letterId, subject, ...tried, kept: true };
    if (dryRun || tried.outcome === "failed") return kept;
    try {
      await ask((session) => stream.remove(session, letterId));
      return { ...kept, kept: false };
    } catch (error) {
      telemetry.logger.warn("a redriven dead letter could not be removed", { letter_id: String(letterId), error });
      return { ...kept, detail: "its effect is there, but the letter could not be removed: redrive it again" };
    }
  };

  return {
    usage: () => ask((session) => stream.usage(session)),

    list: ({ filter, afterId, limit }) =>
      ask(async (session) => {
        const examined = filter.cause ? examinedMax : limit;
        // One more, to know whether there is one.
        const heads = await stream.heads(session, { ...filter, afterId, limit: examined + 1 });
        const wanted = filter.cause?.toLowerCase() ?? "";
        const matching = heads.slice(0, examined).filter(({ cause }) => cause.toLowerCase().includes(wanted));
        const letters = matching.slice(0, limit);
        const cut = matching.length > limit ? letters : heads.slice(0, examined);
        const isLast = matching.length <= limit && heads.length <= examined;
        return { letters, next: isLast ? undefined : cut.at(-1)?.letterId };
      }),

    async get(letterId) {
      const stored = await ask((session) => stream.get(session, letterId));
      return stored && openLetter(stored, handlers);
    },

    redrive: (letterId, { dryRun }) =>
      // Once begun it is brought to its end: the effect and then the letter's removal.
      runDetached({ timeoutMs: options.handlerTimeoutMs + aroundHandlerMs }, async () => {
        if (inHand >= redrivesMax) throw tooMany();
        inHand += 1;
        try {
          const stored = await ask((session) => stream.get(session, letterId));
          return stored && (await redrive(stored, dryRun));
        } finally {
          inHand -= 1;
        }
      }),

    discard: (letterId) => ask((session) => stream.remove(session, letterId)),
    [Symbol.dispose]: stopMeasuring,
  };
}

/** Hands a letter to its handler, in a span of the trace of the change that it tells of. @throws what is not the handler's own failure */
async function attempt<Handler extends EventKind>(
  { telemetry, handlers, handlerTimeoutMs, redrive }: DeadLettersOptions<Handler>,
  { letter, headers, data }: StoredLetter,
  dryRun: boolean,
): Promise<Pick<RedrivenDeadLetter, "outcome" | "detail">> {
  const handler = handlers.get(letter.subject);
  if (handler === undefined) return { outcome: "failed", detail: "this service has no handler for its subject" };
  const operator = trace.getSpanContext(currentOtelContext());
  const span = {
    kind: SpanKind.CONSUMER,
    attributes: { "messaging.system": "nats", "messaging.destination.name": letter.subject, "weft.dry_run": dryRun },
    ...(headers.traceparent && { parent: telemetry.extract({ traceparent: headers.traceparent }) }),
    ...(operator && { links: [{ context: operator }] }),
  };
  // Neither the operator nor his deadline is the handler's business.
  const run = (event: ReturnType<typeof decodeEvent>) =>
    telemetry.span(`redrive ${letter.subject}`, span, () =>
      runAs({ peer: undefined, endUser: undefined }, () =>
        runDetached({ timeoutMs: handlerTimeoutMs }, () => redrive({ event, handler }, { dryRun })),
      ),
    );
  try {
    const outcome = await run(readable(data, handler));
    return { outcome, detail: outcome === "decoded" ? "only decoded: its handler's effect cannot be rolled back" : "" };
  } catch (error) {
    if (!(error instanceof HandlerFailure) || isDatabaseUnavailable(error)) throw error;
    return { outcome: "failed", detail: causeText(error.cause) };
  }
}

function readable(data: Uint8Array, kind: EventKind): ReturnType<typeof decodeEvent> {
  try {
    return decodeEvent(data, kind);
  } catch (cause) {
    throw new HandlerFailure("the event cannot be read", { cause });
  }
}

function openLetter(
  { letter, headers, data }: StoredLetter,
  handlers: ReadonlyMap<string, EventKind>,
): OpenedDeadLetter {
  const hex = (bytes: Uint8Array, cause: unknown) => ({
    hex: Buffer.from(bytes).toString("hex"),
    problem: causeText(cause),
  });
  let envelope: ReturnType<typeof openEnvelope>;
  try {
    envelope = openEnvelope(data);
  } catch (error) {
    return { letter, headers, envelope: undefined, body: hex(data, error) };
  }
  const { payload, facts } = envelope;
  const kind = handlers.get(letter.subject);
  try {
    if (kind === undefined) throw new Error("this service has no handler for its subject, and does not know the type");
    if (kind.type !== facts.eventType) throw new Error(`its subject is ${kind.type}'s`);
    const json = JSON.stringify(toMaskedJson(kind.schema, kind.decode(payload)));
    return { letter, headers, envelope: facts, body: { json } };
  } catch (error) {
    return { letter, headers, envelope: facts, body: hex(payload, error) };
  }
}

function openEnvelope(data: Uint8Array) {
  const { type, aggregateId, aggregateVersion, occurredAt, payload } = fromBinary(EventEnvelopeSchema, data);
  const at = occurredAt && timestampDate(occurredAt);
  return { payload, facts: { eventType: type, aggregateId, aggregateVersion, occurredAt: at } };
}

/** Asks the broker something, within the call's time. @throws ConnectError UNAVAILABLE if it is away or does not answer */
function createAsk(broker: Broker) {
  return async <T>(fn: (session: BrokerSession) => Promise<T>): Promise<T> => {
    const call = currentSignal();
    const waiting = AbortSignal.timeout(brokerWaitMs);
    try {
      return await fn(await broker.session(call === undefined ? waiting : AbortSignal.any([call, waiting])));
    } catch (cause) {
      // What a use of the broker has to say, too many redrives for instance.
      if (cause instanceof ConnectError && errorReason(cause) !== undefined) throw cause;
      const message = "the broker, which keeps the dead letters, does not answer";
      throw rpcError(Code.Unavailable, message, { reason: "BROKER_UNAVAILABLE", domain: "weft", cause });
    }
  };
}

function tooMany(): ConnectError {
  const message = `this process redrives ${redrivesMax} letters (redrivesMax) already`;
  return rpcError(Code.ResourceExhausted, message, { reason: "TOO_MUCH_UNDER_WAY", domain: "weft", retryDelayMs: 500 });
}
