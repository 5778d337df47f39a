import { type DescMessage, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";

/** What stands in the place of a field that is not to be shown. */
const masked = "[redacted]";

/** A message as JSON for people, with fields that its contract marks as debug_redact masked, however deep they lie. */
export function toMaskedJson(schema: DescMessage, message: Message): JsonValue {
  return mask(schema, toJson(schema, message));
}

function mask(schema: DescMessage, json: JsonValue): JsonValue {
  // Those of google.protobuf have a JSON of their own: a timestamp is a text.
  if (!isObject(json) || schema.typeName.startsWith("google.protobuf.")) return json;
  const fields = new Map(schema.fields.map((field) => [field.jsonName, field]));
  const entries = Object.entries(json).map(([name, value]): [string, JsonValue] => {
    const field = fields.get(name);
    if (field?.proto.options?.debugRedact) return [name, masked];
    const { message } = field ?? {};
    if (message === undefined) return [name, value];
    if (Array.isArray(value)) return [name, value.map((item) => mask(message, item))];
    if (field?.fieldKind !== "map" || !isObject(value)) return [name, mask(message, value)];
    return [name, Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mask(message, item)]))];
  });
  return Object.fromEntries(entries);
}

function isObject(json: JsonValue): json is { [key: string]: JsonValue } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
