import type { DescEnum, DescEnumValue, DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";

type Commented = DescMessage | DescField | DescEnum | DescEnumValue | DescService | DescMethod;

/**
 * The comment above a declaration, without its slashes; undefined if there is none, or if whoever made the descriptor
 * left comments out (most code generators do).
 * Source: google.protobuf.SourceCodeInfo, whose locations are addressed by paths of field numbers and indexes.
 */
export function commentOf(desc: Commented): string | undefined {
  const locations = fileOf(desc).proto.sourceCodeInfo?.location ?? [];
  if (locations.length === 0) return undefined;
  const path = pathOf(desc).join(".");
  return locations.find((location) => location.path.join(".") === path)?.leadingComments || undefined;
}

function fileOf(desc: Commented) {
  return "file" in desc ? desc.file : desc.parent.file;
}

/** The field numbers are those of descriptor.proto: message_type = 4 of a file, nested_type = 3 of a message, and so on. */
function pathOf(desc: Commented): number[] {
  switch (desc.kind) {
    case "message":
      return desc.parent === undefined
        ? [4, desc.file.messages.indexOf(desc)]
        : [...pathOf(desc.parent), 3, desc.parent.proto.nestedType.indexOf(desc.proto)];
    case "enum":
      return desc.parent === undefined
        ? [5, desc.file.enums.indexOf(desc)]
        : [...pathOf(desc.parent), 4, desc.parent.nestedEnums.indexOf(desc)];
    case "service":
      return [6, desc.file.services.indexOf(desc)];
    case "field":
      return [...pathOf(desc.parent), 2, desc.parent.fields.indexOf(desc)];
    case "enum_value":
      return [...pathOf(desc.parent), 2, desc.parent.values.indexOf(desc)];
    case "rpc":
      return [...pathOf(desc.parent), 2, desc.parent.methods.indexOf(desc)];
  }
}
