import type {
  DescEnum,
  DescEnumValue,
  DescField,
  DescMessage,
  DescMethod,
  DescOneof,
  DescService,
  Registry,
} from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import {
  EnumOptionsSchema,
  EnumValueOptionsSchema,
  FieldDescriptorProto_Label,
  FieldOptionsSchema,
  MessageOptionsSchema,
  MethodOptionsSchema,
  OneofOptionsSchema,
  ServiceOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { commentOf } from "./comments.ts";
import { type OptionText, optionTexts } from "./options.ts";

/** What can be described. */
export type Describable = DescService | DescMethod | DescMessage | DescEnum;

const step = "  ";

/**
 * A definition as text that reads like its .proto file, custom options included. Types are written with their full
 * names, to be described in turn. A method is shown inside its service, with its request and response below.
 */
export function formatDefinition(desc: Describable, registry: Registry): string {
  switch (desc.kind) {
    case "service":
      return formatService(desc, desc.methods, registry);
    case "rpc": {
      const messages = [...new Set([desc.input, desc.output])];
      return [
        formatService(desc.parent, [desc], registry),
        ...messages.map((message) => formatMessageType(message, registry, "")),
      ].join("\n");
    }
    case "message":
      return formatMessageType(desc, registry, "");
    case "enum":
      return formatEnum(desc, registry, "");
  }
}

function formatService(desc: DescService, methods: readonly DescMethod[], registry: Registry): string {
  const options = optionTexts(ServiceOptionsSchema, desc.proto.options, registry, step);
  return block(commentLines(desc, ""), `service ${desc.name}`, "", [
    statements(options, step),
    ...methods.map((method) => formatMethod(method, registry)),
  ]);
}

function formatMethod(desc: DescMethod, registry: Registry): string {
  const input = `${desc.proto.clientStreaming ? "stream " : ""}${desc.input.typeName}`;
  const output = `${desc.proto.serverStreaming ? "stream " : ""}${desc.output.typeName}`;
  const head = `rpc ${desc.name}(${input}) returns (${output})`;
  const options = optionTexts(MethodOptionsSchema, desc.proto.options, registry, step + step);
  if (options.length === 0) return `${commentLines(desc, step)}${step}${head};\n`;
  return block(commentLines(desc, step), head, step, [statements(options, step + step)]);
}

function formatMessageType(desc: DescMessage, registry: Registry, indent: string): string {
  const inner = indent + step;
  return block(commentLines(desc, indent), `message ${desc.name}`, indent, [
    statements(optionTexts(MessageOptionsSchema, desc.proto.options, registry, inner), inner),
    ...desc.nestedEnums.map((nested) => formatEnum(nested, registry, inner)),
    ...desc.nestedMessages.map((nested) => formatMessageType(nested, registry, inner)),
    desc.members.map((member) => formatMember(member, registry, inner)).join(""),
    reserved(desc, inner),
  ]);
}

function formatMember(member: DescField | DescOneof, registry: Registry, indent: string): string {
  if (member.kind === "field") return formatField(member, registry, indent);
  return block("", `oneof ${member.name}`, indent, [
    statements(optionTexts(OneofOptionsSchema, member.proto.options, registry, indent + step), indent + step) +
      member.fields.map((field) => formatField(field, registry, indent + step)).join(""),
  ]);
}

function formatField(desc: DescField, registry: Registry, indent: string): string {
  const options = optionTexts(FieldOptionsSchema, desc.proto.options, registry, indent + step);
  const head = `${cardinality(desc)}${typeOf(desc)} ${desc.name} = ${desc.number}`;
  return `${commentLines(desc, indent)}${indent}${head}${bracketed(options, indent)};\n`;
}

function formatEnum(desc: DescEnum, registry: Registry, indent: string): string {
  const inner = indent + step;
  const value = (item: DescEnumValue) => {
    const options = optionTexts(EnumValueOptionsSchema, item.proto.options, registry, inner + step);
    return `${commentLines(item, inner)}${inner}${item.name} = ${item.number}${bracketed(options, inner)};\n`;
  };
  return block(commentLines(desc, indent), `enum ${desc.name}`, indent, [
    statements(optionTexts(EnumOptionsSchema, desc.proto.options, registry, inner), inner) +
      desc.values.map(value).join(""),
  ]);
}

function cardinality(desc: DescField): string {
  if (desc.fieldKind === "list") return "repeated ";
  if (desc.proto.proto3Optional) return "optional ";
  return desc.proto.label === FieldDescriptorProto_Label.REQUIRED ? "required " : "";
}

function typeOf(desc: DescField): string {
  const element = desc.message?.typeName ?? desc.enum?.typeName ?? scalarName(desc.scalar);
  return desc.fieldKind === "map" ? `map<${scalarName(desc.mapKey)}, ${element}>` : element;
}

function scalarName(type: ScalarType | undefined): string {
  return type === undefined ? "unknown" : ScalarType[type].toLowerCase();
}

function reserved(desc: DescMessage, indent: string): string {
  // A range's end is exclusive in descriptors and inclusive in the language.
  const ranges = desc.proto.reservedRange.map(({ start, end }) =>
    end - start === 1 ? `${start}` : `${start} to ${end - 1}`,
  );
  const names = desc.proto.reservedName.map((name) => JSON.stringify(name));
  return [ranges, names]
    .filter((list) => list.length > 0)
    .map((list) => `${indent}reserved ${list.join(", ")};\n`)
    .join("");
}

/** Options of a declaration with a body, one statement each. */
function statements(options: readonly OptionText[], indent: string): string {
  return options.map(({ name, value }) => `${indent}option ${name} = ${value};\n`).join("");
}

/** Options of a field, in brackets after it. */
function bracketed(options: readonly OptionText[], indent: string): string {
  const texts = options.map(({ name, value }) => `${name} = ${value}`);
  if (texts.length === 0) return "";
  if (texts.length === 1) return ` [${texts[0]}]`;
  return ` [\n${texts.map((text) => `${indent}${step}${text}`).join(",\n")}\n${indent}]`;
}

/** A declaration with its parts, an empty line between two of them. */
function block(comment: string, head: string, indent: string, parts: readonly string[]): string {
  const body = parts.filter((part) => part !== "").join("\n");
  return body === "" ? `${comment}${indent}${head} {}\n` : `${comment}${indent}${head} {\n${body}${indent}}\n`;
}

function commentLines(desc: Parameters<typeof commentOf>[0], indent: string): string {
  const comment = commentOf(desc)?.replace(/\n$/, "");
  if (comment === undefined) return "";
  return comment
    .split("\n")
    .map((line) => `${indent}//${line}\n`)
    .join("");
}
