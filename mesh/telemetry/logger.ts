import { isSpanContextValid, trace } from "@opentelemetry/api";
import { currentOtelContext } from "../context/call-context.ts";
import type { Clock } from "../contract/clock.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

type Log = (message: string, fields?: Record<string, unknown>) => void;

/** Writes structured lines: one JSON object each, with the ids of the trace that they belong to. */
export type Logger = Readonly<Record<LogLevel, Log>>;

export interface LoggerOptions {
  readonly service: string;
  /** Lines below it are not written. */
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly write: (line: string) => void;
}

/** Creates a logger. Field values may be anything: bigint and Error are written readably. */
export function createLogger(options: LoggerOptions): Logger {
  const { service, clock, write } = options;
  const threshold = logLevels.indexOf(options.level);
  const log =
    (level: LogLevel): Log =>
    (message, fields) => {
      if (logLevels.indexOf(level) < threshold) return;
      const span = trace.getSpanContext(currentOtelContext());
      const ids = span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : undefined;
      const line = { time: new Date(clock.now()).toISOString(), level, service, message, ...ids, ...fields };
      write(`${JSON.stringify(line, readable)}\n`);
    };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

function readable(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    return {
      name,
      message,
      stack,
      ...("code" in value && { code: value.code }),
      ...(cause !== undefined && { cause }),
    };
  }
  return value;
}
