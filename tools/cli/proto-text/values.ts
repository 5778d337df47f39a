import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type Message,
  type Registry,
  ScalarType,
} from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/** A value longer than this is broken into lines. */
const lineWidth = 92;

/** A message in protobuf's text format, the way an option is written in a .proto file: `{seconds: 6}`. */
export function formatMessage(schema: DescMessage, message: Message, registry: Registry, indent: string): string {
  return formatReflected(reflect(schema, message), registry, indent);
}

/** One value of a field, of an extension, or of an element of a list. */
export function formatValue(field: DescField, value: unknown, registry: Registry, indent: string): string {
  if (isReflectMessage(value)) return formatReflected(value, registry, indent);
  if (field.enum !== undefined) return enumName(field.enum, value as number);
  return formatScalar(field.scalar, value);
}

export function enumName(schema: DescEnum, number: number): string {
  return schema.value[number]?.name ?? String(number);
}

function formatReflected(message: ReflectMessage, registry: Registry, indent: string): string {
  const inner = `${indent}  `;
  const entries = message.sortedFields
    .filter((field) => message.isSet(field))
    .map((field) => formatField(message, field, registry, inner));
  const inLine = `{${entries.join(" ")}}`;
  if (indent.length + inLine.length <= lineWidth && !inLine.includes("\n")) return inLine;
  return `{\n${entries.map((entry) => `${inner}${entry}\n`).join("")}${indent}}`;
}

function formatField(message: ReflectMessage, field: DescField, registry: Registry, indent: string): string {
  if (field.fieldKind === "list") {
    const items = [...message.get(field)].map((item) => formatValue(field, item, registry, indent));
    return items.length === 1 ? `${field.name}: ${items[0]}` : `${field.name}: [${items.join(", ")}]`;
  }
  if (field.fieldKind === "map") {
    const entries = [...message.get(field)].map(
      ([key, value]) =>
        `{key: ${formatScalar(field.mapKey, key)} value: ${formatValue(field, value, registry, indent)}}`,
    );
    return `${field.name}: [${entries.join(", ")}]`;
  }
  return `${field.name}: ${formatValue(field, message.get(field), registry, indent)}`;
}

function formatScalar(type: ScalarType | undefined, value: unknown): string {
  if (type === ScalarType.STRING) return JSON.stringify(value);
  if (type === ScalarType.BYTES) return JSON.stringify(Buffer.from(value as Uint8Array).toString("latin1"));
  return String(value);
}
