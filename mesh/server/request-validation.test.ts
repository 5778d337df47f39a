import { create, createFileRegistry, fromBinary, setExtension, toBinary } from "@bufbuild/protobuf";
import {
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FieldRulesSchema, field as fieldRules, file_buf_validate_validate } from "../gen/buf/validate/validate_pb.ts";
import { BadRequestSchema } from "../gen/google/rpc/error_details_pb.ts";
import { createRequestValidation } from "./request-validation.ts";

/** A message with a text of at least one character and a list of such texts. */
function texts() {
  const rules = create(FieldRulesSchema, { type: { case: "string", value: { minLen: 1n } } });
  const each = create(FieldRulesSchema, { type: { case: "repeated", value: { items: rules } } });
  const ruled = (value: typeof rules) => {
    const options = create(FieldOptionsSchema);
    setExtension(options, fieldRules, value);
    return options;
  };
  const file = create(FileDescriptorProtoSchema, {
    name: "test.proto",
    package: "test",
    syntax: "proto3",
    dependency: ["buf/validate/validate.proto"],
    messageType: [
      {
        name: "Texts",
        field: [
          { name: "one", number: 1, type: Type.STRING, label: Label.OPTIONAL, options: ruled(rules) },
          { name: "many", number: 2, type: Type.STRING, label: Label.REPEATED, options: ruled(each) },
        ],
      },
    ],
  });
  const dependencies = [...file_buf_validate_validate.dependencies, file_buf_validate_validate].map((d) => d.proto);
  const set = create(FileDescriptorSetSchema, { file: [...dependencies, file] });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, set)));
  const schema = registry.getMessage("test.Texts");
  if (schema === undefined) throw new Error("the message was not loaded");
  return schema;
}

const schema = texts();
const validate = createRequestValidation([]);

function refusal(fields: Record<string, unknown>): ConnectError {
  try {
    validate(schema, create(schema, fields));
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("it was not refused");
}

describe("createRequestValidation()", () => {
  test("lets pass what keeps the rules", () => {
    validate(schema, create(schema, { one: "x", many: ["y", "z"] }));
  });

  test("names each field that breaks one", () => {
    const error = refusal({ many: ["y", ""] });
    expect(error.code).toBe(Code.InvalidArgument);
    const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field);
    expect(fields).toEqual(["one", "many[1]"]);
    expect(error.rawMessage).toMatch(/^one: .*; many\[1\]: /);
  });

  test("tells of 16 at most, and how many more there are", () => {
    const error = refusal({ many: new Array(1_000).fill("") });
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations).toHaveLength(16);
    expect(error.rawMessage).toMatch(/many\[14\]: .*; and 985 more$/);
  });
});
