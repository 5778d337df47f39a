import { ROOT_CONTEXT, TraceFlags, trace } from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runAs } from "../context/call-context.ts";
import { createLogger, type LogLevel, logLevels } from "./logger.ts";

const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6), monotonic: () => 0 };
const head = { time: "2026-01-02T03:04:05.006Z", level: "info", service: "order", message: "placed" };

function logging(level: LogLevel = "debug") {
  const lines: string[] = [];
  const logger = createLogger({ service: "order", level, clock, write: (line) => lines.push(line) });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? "null") as Record<string, unknown> };
}

/** The line of one field. */
function written(value: unknown): unknown {
  const { logger, last } = logging();
  logger.info("placed", { value });
  return last().value;
}

describe("a line", () => {
  test("is one JSON object with time, level, service, message and the fields", () => {
    const { logger, lines, last } = logging();
    logger.info("placed", { order: "ord_1" });
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(last()).toEqual({ ...head, order: "ord_1" });
  });

  test("has the ids of the trace it belongs to", () => {
    const { logger, last } = logging();
    const ids = { traceId: "a".repeat(32), spanId: "b".repeat(16) };
    const otel = trace.setSpanContext(ROOT_CONTEXT, { ...ids, traceFlags: TraceFlags.SAMPLED });
    runAs({ otel }, () => logger.info("placed"));
    expect(last()).toEqual({ ...head, trace_id: ids.traceId, span_id: ids.spanId });
  });

  test.each(logLevels)("below the level %s is not written", (level) => {
    const { logger, lines } = logging(level);
    for (const each of logLevels) logger[each]("placed");
    expect(lines).toHaveLength(logLevels.length - logLevels.indexOf(level));
  });

  test("keeps its head, whatever fields are called", () => {
    const { logger, last } = logging();
    logger.info("placed", { time: 1, level: "error", service: "forged", message: "forged" });
    expect(last()).toEqual(head);
  });
});

describe("a field", () => {
  test("may be a bigint", () => {
    expect(written({ cents: 12345678901234567890n })).toEqual({ cents: "12345678901234567890" });
  });

  test("may be an error, with its code and all that caused it", () => {
    const root = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const error = new TypeError("no connection", { cause: new AggregateError([root], "all failed") });
    expect(written(error)).toMatchObject({
      name: "TypeError",
      message: "no connection",
      stack: expect.stringContaining("logger.test.ts"),
      cause: { message: "all failed", errors: [{ message: "connect ECONNREFUSED", code: "ECONNREFUSED" }] },
    });
  });

  test("may be an error that hid another", () => {
    const error = new SuppressedError(new Error("while closing"), new Error("first"), "both failed");
    expect(written(error)).toMatchObject({ error: { message: "while closing" }, suppressed: { message: "first" } });
  });

  test("may be errors that cause each other", () => {
    const [a, b] = [new Error("a"), new Error("b")];
    a.cause = b;
    b.cause = a;
    expect(written(a)).toMatchObject({ message: "a", cause: { message: "b", cause: "Error, see above" } });
  });

  test.each<[string, () => unknown]>([
    [
      "an object that holds itself",
      () => {
        const loop: Record<string, unknown> = {};
        loop.self = loop;
        return loop;
      },
    ],
    [
      "a getter that throws",
      () => ({
        get no(): never {
          throw new Error("no");
        },
      }),
    ],
    [
      "a proxy that is revoked",
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      },
    ],
  ])("may be %s: the line is written all the same", (_name, make) => {
    const { logger, last } = logging();
    logger.info("placed", { value: make() });
    expect(last()).toMatchObject({ ...head, fields: expect.any(String) });
  });

  test("may be anything", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
    });
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.dictionary(fc.string(), anything), (message, fields) => {
        const { logger, last, lines } = logging();
        logger.info(message, fields);
        expect(last()).toMatchObject({ ...head, message });
        expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
      }),
    );
  });
});
