import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";

/**
 * What a decoded message has brought along that its contract does not know, at any depth: "shop.type.v1.Money field 3". Such bytes
 * are kept when it is encoded again, but nobody reads them: what they said is lost on whoever handles the message.
 */
export function unknownFields(schema: DescMessage, message: Message): string[] {
  const found = new Set((message.$unknown ?? []).map(({ no }) => `${schema.typeName} field ${no}`));
  for (const field of schema.fields) {
    if (field.message === undefined) continue;
    for (const inner of messagesIn(field, message)) {
      for (const one of unknownFields(field.message, inner)) found.add(one);
    }
  }
  return [...found];
}

function messagesIn(field: DescField, message: Message): Message[] {
  const value: unknown = Reflect.get(message, field.oneof?.localName ?? field.localName);
  if (value === undefined) return [];
  if (field.oneof !== undefined) {
    const chosen = value as { case?: string; value?: Message };
    return chosen.case === field.localName && chosen.value !== undefined ? [chosen.value] : [];
  }
  if (field.fieldKind === "list") return value as Message[];
  return field.fieldKind === "map" ? Object.values(value as Record<string, Message>) : [value as Message];
}
