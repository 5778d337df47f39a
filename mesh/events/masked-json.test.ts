import { create, createFileRegistry, fromJson } from "@bufbuild/protobuf";
import {
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  TimestampSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { toMaskedJson } from "./masked-json.ts";

const redact = create(FieldOptionsSchema, { debugRedact: true });
const text = (name: string, number: number, options?: typeof redact) => ({
  ...{ name, jsonName: name, number, type: Type.STRING, label: Label.OPTIONAL },
  ...(options && { options }),
});
const nested = (name: string, number: number, typeName: string, label: Label = Label.OPTIONAL) => ({
  ...{ name, jsonName: name, number, type: Type.MESSAGE, label, typeName },
});

const file = create(FileDescriptorProtoSchema, {
  name: "people.proto",
  package: "people.v1",
  syntax: "proto3",
  dependency: ["google/protobuf/timestamp.proto"],
  messageType: [
    {
      name: "Person",
      field: [
        text("id", 1),
        text("email", 2, redact),
        nested("mother", 3, ".people.v1.Person"),
        nested("children", 4, ".people.v1.Person", Label.REPEATED),
        nested("friends", 5, ".people.v1.Person.FriendsEntry", Label.REPEATED),
        nested("born", 6, ".google.protobuf.Timestamp"),
        { ...nested("home", 7, ".people.v1.Person"), options: redact },
      ],
      nestedType: [
        {
          name: "FriendsEntry",
          options: { mapEntry: true },
          field: [text("key", 1), nested("value", 2, ".people.v1.Person")],
        },
      ],
    },
  ],
});

test("fields that the contract marks are masked wherever they lie; all else is there", () => {
  const timestamp = TimestampSchema.file.proto;
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [timestamp, file] }));
  const schema = registry.getMessage("people.v1.Person");
  if (schema === undefined) throw new Error("no schema");
  const born = "2026-01-01T00:00:00Z";
  const secret = { id: "b", email: "b@example.com" };
  const person = {
    id: "a",
    email: "a@example.com",
    mother: secret,
    children: [secret],
    friends: { x: secret },
    born,
    home: secret,
  };
  const masked = { id: "b", email: "[redacted]" };
  expect(toMaskedJson(schema, fromJson(schema, person))).toEqual({
    ...{
      id: "a",
      email: "[redacted]",
      mother: masked,
      children: [masked],
      friends: { x: masked },
      born,
      home: "[redacted]",
    },
  });
});
