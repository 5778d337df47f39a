import {
  type DescExtension,
  type DescField,
  type DescMessage,
  getExtension,
  hasExtension,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { formatMessage, formatValue } from "./values.ts";

/** One option as written in a .proto file: `deprecated` or `(weft.v1.method)`, and its value. */
export interface OptionText {
  name: string;
  value: string;
}

/**
 * All options set on a descriptor: protobuf's own first, then the custom ones whose definition the registry has.
 *
 * @param schema of the options message, google.protobuf.MethodOptions for instance
 * @param options `desc.proto.options`
 */
export function optionTexts(
  schema: DescMessage,
  options: Message | undefined,
  registry: Registry,
  indent: string,
): OptionText[] {
  if (options === undefined) return [];
  return [...standardOptions(schema, options, registry, indent), ...customOptions(schema, options, registry, indent)];
}

function standardOptions(schema: DescMessage, options: Message, registry: Registry, indent: string): OptionText[] {
  const reflected = reflect(schema, options);
  return reflected.sortedFields
    .filter((field) => reflected.isSet(field) && (field.fieldKind === "scalar" || field.fieldKind === "enum"))
    .map((field) => ({ name: field.name, value: formatValue(field, reflected.get(field), registry, indent) }));
}

function customOptions(schema: DescMessage, options: Message, registry: Registry, indent: string): OptionText[] {
  return [...registry]
    .filter((type) => type.kind === "extension")
    .filter((extension) => extension.extendee.typeName === schema.typeName && hasExtension(options, extension))
    .sort((a, b) => a.number - b.number || a.typeName.localeCompare(b.typeName))
    .map((extension) => ({
      name: `(${extension.typeName})`,
      value: formatExtension(extension, getExtension(options, extension), registry, indent),
    }));
}

function formatExtension(extension: DescExtension, value: unknown, registry: Registry, indent: string): string {
  if (extension.fieldKind === "message") return formatMessage(extension.message, value as Message, registry, indent);
  const field = extension as unknown as DescField;
  if (extension.fieldKind === "list") {
    return `[${(value as unknown[]).map((item) => formatListItem(extension, item, registry, indent)).join(", ")}]`;
  }
  return formatValue(field, value, registry, indent);
}

function formatListItem(extension: DescExtension, item: unknown, registry: Registry, indent: string): string {
  if (extension.message !== undefined) return formatMessage(extension.message, item as Message, registry, indent);
  return formatValue(extension as unknown as DescField, item, registry, indent);
}
