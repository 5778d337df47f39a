import { inspect } from "node:util";
import { isSpanContextValid, trace } from "@opentelemetry/api";
import { currentOtelContext } from "../context/call-context.ts";
import type { Clock } from "../contract/clock.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

type Log = (message: string, fields?: Record<string, unknown>) => void;

/** Writes structured lines: one JSON object each, with the ids of the trace that they belong to. */
export type Logger = Readonly<Record<LogLevel, Log>>;

/** A logger that says which levels it writes, so that nobody need gather what nobody reads. */
export interface SelectiveLogger extends Logger {
  writes(level: LogLevel): boolean;
}

export interface LoggerOptions {
  readonly service: string;
  /** Lines below it are not written. */
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly write: (line: string) => void;
}

/** Creates a logger. Field values may be anything: bigint and Error are written readably, and none makes it throw. */
export function createLogger(options: LoggerOptions): SelectiveLogger {
  const { service, clock, write } = options;
  const threshold = logLevels.indexOf(options.level);
  const writes = (level: LogLevel): boolean => logLevels.indexOf(level) >= threshold;
  const log =
    (level: LogLevel): Log =>
    (message, fields) => {
      if (!writes(level)) return;
      const span = trace.getSpanContext(currentOtelContext());
      const ids = span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : undefined;
      const head = { time: new Date(clock.now()).toISOString(), level, service, message };
      // The head a second time: no field takes its place.
      write(`${toJson({ ...head, ...ids, ...fields, ...head }, head)}\n`);
    };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error"), writes };
}

function toJson(line: object, head: object): string {
  try {
    return JSON.stringify(line, readable());
  } catch {
    // A cycle, a getter that throws: what can be said of it, rather than nothing.
    return JSON.stringify({ ...head, fields: described(line) });
  }
}

function described(value: object): string {
  try {
    return inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  } catch {
    return "cannot be described";
  }
}

/** JSON.stringify's replacer for one line. */
function readable(): (key: string, value: unknown) => unknown {
  let seen: Set<Error> | undefined;
  return (_key, value) => {
    if (typeof value === "bigint") return value.toString();
    if (!(value instanceof Error)) return value;
    // Errors can be each other's cause.
    seen ??= new Set();
    if (seen.has(value)) return `${value.name}, see above`;
    seen.add(value);
    return unfolded(value);
  };
}

function unfolded(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  return {
    name,
    message,
    stack,
    ...("code" in error && { code: error.code }),
    ...(cause !== undefined && { cause }),
    ...(error instanceof AggregateError && { errors: error.errors }),
    ...(error instanceof SuppressedError && { error: error.error, suppressed: error.suppressed }),
  };
}
