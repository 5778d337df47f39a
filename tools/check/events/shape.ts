import { type DescField, type DescFile, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { event as eventOption } from "../../../mesh/gen/weft/v1/options_pb.ts";

/** What an event's bytes mean: all that must stay so that stored ones can be read. */
export interface EventShape {
  /** Absent: it is stored by its service, and never published. */
  readonly published?: { readonly subject: string; readonly key: string };
  /** By full name, the event itself first. Fields by number, as in a proto: "repeated shop.order.v1.OrderLine lines". */
  readonly messages: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Values by number. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/**
 * The events of our contracts: every message with a (weft.v1.event) option, and in an events.proto without services every message that
 * no other one has a field of, since what is only stored has no option.
 */
export function findEvents(files: readonly DescFile[]): DescMessage[] {
  return files.flatMap((file) => {
    const parts = new Set(file.messages.flatMap(({ fields }) => fields.map((field) => field.message?.typeName)));
    const ofEvents = /(^|\/)events$/.test(file.name) && file.services.length === 0;
    return file.messages.filter(
      (message) => hasOption(message, eventOption) || (ofEvents && !parts.has(message.typeName)),
    );
  });
}

/** What the event is made of now, with all messages and enums inside, but for google's own. */
export function shapeOf(event: DescMessage): EventShape {
  const messages: Record<string, Record<string, string>> = {};
  const enums: Record<string, Record<string, string>> = {};
  const visit = ({ typeName, fields }: DescMessage): void => {
    if (messages[typeName] !== undefined || typeName.startsWith("google.protobuf.")) return;
    messages[typeName] = Object.fromEntries(fields.map((field) => [field.number, fieldText(field)]));
    for (const { message, enum: type } of fields) {
      if (message !== undefined) visit(message);
      if (type !== undefined) enums[type.typeName] = Object.fromEntries(type.values.map((v) => [v.number, v.name]));
    }
  };
  visit(event);
  if (!hasOption(event, eventOption)) return { messages, enums };
  const { subject, key } = getOption(event, eventOption);
  return { published: { subject, key }, messages, enums };
}

function fieldText(field: DescField): string {
  return `${kindOf(field)} ${field.name}${field.oneof === undefined ? "" : `, in oneof ${field.oneof.name}`}`;
}

function kindOf(field: DescField): string {
  switch (field.fieldKind) {
    case "map":
      return `map<${scalarName(field.mapKey)}, ${typeOf(field)}>`;
    case "list":
      return `repeated ${typeOf(field)}`;
    default:
      return field.proto.proto3Optional ? `optional ${typeOf(field)}` : typeOf(field);
  }
}

function typeOf({ message, enum: type, scalar }: DescField): string {
  return message?.typeName ?? type?.typeName ?? scalarName(scalar ?? ScalarType.STRING);
}

function scalarName(scalar: ScalarType): string {
  return ScalarType[scalar].toLowerCase();
}

/** The parts of a field's text: what it is, and its name. */
export function splitFieldText(text: string): { readonly type: string; readonly name: string } {
  const [, type = "", name = ""] = /^(.+) (\w+)(?:, in oneof \w+)?$/.exec(text) ?? [];
  return { type, name };
}
