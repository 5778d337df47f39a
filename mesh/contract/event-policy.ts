import { type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { event as eventOption } from "../gen/weft/v1/options_pb.ts";

/** Where a domain event is published, and the field that names the aggregate it tells of. */
export interface EventPolicy {
  readonly subject: string;
  /** The key field's name in generated code: "orderId". */
  readonly keyLocalName: string;
}

/** Reads a message's event option. @throws Error naming message and reason if it is no domain event */
export function readEventPolicy(message: DescMessage): EventPolicy {
  const problems = hasOption(message, eventOption)
    ? eventProblems(message)
    : [`${message.file.name}.proto: ${message.typeName}: has no (weft.v1.event) option, so it is no domain event`];
  if (problems.length > 0) throw new Error(problems.join("; "));
  const { subject, key } = getOption(message, eventOption);
  return { subject, keyLocalName: message.fields.find((field) => field.name === key)?.localName ?? key };
}

/** What is wrong with a message's event option; empty if nothing is, or if it has none. */
export function eventProblems(message: DescMessage): string[] {
  if (!hasOption(message, eventOption)) return [];
  const { subject, key } = getOption(message, eventOption);
  const problems: string[] = [];
  if (!/^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(subject)) {
    problems.push(`event.subject "${subject}" is no NATS subject such as shop.order.v1.OrderPlaced`);
  }
  const field = message.fields.find((candidate) => candidate.name === key);
  if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.STRING) {
    problems.push(`event.key "${key}" must name a string field of the message`);
  }
  return problems.map((problem) => `${message.file.name}.proto: ${message.typeName}: ${problem}`);
}
