import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { DeadLetter, GetDeadLetterResponse } from "@weft/mesh/gen/weft/admin/v1/dead_letters_pb.js";
import type { OutputFormat } from "../output.ts";

/** A letter without its body, for programs: numbers that JSON would round are texts. */
export function letterToJson({ letterId, givenUpAt, subject, eventId, cause, deliveries, traceId }: DeadLetter) {
  return {
    letterId: String(letterId),
    ...(givenUpAt && { givenUpAt: timestampDate(givenUpAt).toISOString() }),
    ...{ subject, eventId, cause, deliveries, traceId },
  };
}

/** A letter with its body, for people or for programs. */
export function formatLetter(service: string, found: GetDeadLetterResponse, format: OutputFormat): string {
  const { letter, body, bodyProblem, headers, eventType, aggregateId, aggregateVersion, occurredAt } = found;
  const facts = {
    service,
    ...(letter && letterToJson(letter)),
    ...(eventType && { eventType, aggregateId, aggregateVersion: String(aggregateVersion) }),
    ...(occurredAt && { occurredAt: timestampDate(occurredAt).toISOString() }),
  };
  const json: unknown = body.case === "bodyJson" ? JSON.parse(body.value) : undefined;
  if (format === "json") {
    const bodyJson = body.case === "bodyJson" ? { body: json } : { bodyHex: body.value ?? "", bodyProblem };
    return `${JSON.stringify({ ...facts, headers, ...bodyJson }, null, 2)}\n`;
  }
  const names: readonly [label: string, value: unknown][] = [
    ["letter", `${letter?.letterId} of ${service}`],
    ["given up", `${facts.givenUpAt ?? "-"} after ${letter?.deliveries ?? 0} tries`],
    ["cause", letter?.cause],
    ["subject", letter?.subject],
    ["event id", letter?.eventId || "-"],
    ["trace", letter?.traceId || "-"],
    ["type", eventType || "-"],
    ["aggregate", aggregateId ? `${aggregateId}, version ${aggregateVersion}` : "-"],
    ["occurred", facts.occurredAt ?? "-"],
  ];
  const width = Math.max(...names.map(([label]) => label.length));
  const lines = names.map(([label, value]) => `${label.padEnd(width)}  ${value ?? "-"}`);
  const headerLines = Object.entries(headers).map(([name, value]) => `  ${name}: ${value}`);
  const bodyLines =
    body.case === "bodyJson"
      ? ["body", JSON.stringify(json, null, 2)]
      : [`body, not readable: ${bodyProblem}`, body.value ?? ""];
  return `${[...lines, "", "headers", ...headerLines, "", ...bodyLines].join("\n")}\n`;
}
