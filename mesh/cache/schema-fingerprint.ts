import { createHash } from "node:crypto";
import { type DescEnum, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { DescriptorProtoSchema, EnumDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/**
 * Tells versions of a message type apart: another one if anything of it, or of a message or enum within it, is another. A process that
 * does not know a field yet leaves it out of what it stores; to one that does, the field would be empty.
 */
export function schemaFingerprint(schema: DescMessage): string {
  const sha = createHash("sha256");
  const seen = new Set<string>();
  const add = (type: DescMessage | DescEnum | undefined): void => {
    if (type === undefined || seen.has(type.typeName)) return;
    seen.add(type.typeName);
    sha.update(type.typeName);
    if (type.kind === "enum") sha.update(toBinary(EnumDescriptorProtoSchema, type.proto));
    else {
      sha.update(toBinary(DescriptorProtoSchema, type.proto));
      for (const field of type.fields) add(field.message ?? field.enum);
    }
  };
  add(schema);
  return sha.digest("base64url").slice(0, 12);
}
