import {
  create,
  createFileRegistry,
  type DescMessage,
  fromBinary,
  type Message,
  setExtension,
  toBinary,
} from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  MessageOptionsSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { EventPolicySchema, event, file_weft_v1_options } from "../gen/weft/v1/options_pb.ts";
import { defaultDeadLetterStream, defaultEventStream } from "./streams.ts";

/** An event of these tests: `things.v1.Happened` and the like, all with the same two fields. */
export type Thing = Message<"things.v1.Thing"> & { thingId: string; text: string };

const messages = {
  Happened: { subject: "things.v1.Happened", key: "thing_id" },
  Ended: { subject: "things.v1.Ended", key: "thing_id" },
  Foreign: { subject: "others.v1.Foreign", key: "thing_id" },
  NoEvent: undefined,
};

export const { Happened, Ended, Foreign, NoEvent } = loadMessages();

function loadMessages(): Record<keyof typeof messages, GenMessage<Thing>> {
  const field = (name: string, jsonName: string, number: number) => ({
    ...{ name, jsonName, number, type: Type.STRING, label: Label.OPTIONAL },
  });
  const messageType = Object.entries(messages).map(([name, policy]) => {
    const options = create(MessageOptionsSchema);
    if (policy !== undefined) setExtension(options, event, create(EventPolicySchema, policy));
    return { name, options, field: [field("thing_id", "thingId", 1), field("text", "text", 2)] };
  });
  const file = create(FileDescriptorProtoSchema, {
    name: "things.proto",
    package: "things.v1",
    syntax: "proto3",
    dependency: ["weft/v1/options.proto"],
    messageType,
  });
  const dependencies = [...file_weft_v1_options.dependencies, file_weft_v1_options].map(({ proto }) => proto);
  const set = create(FileDescriptorSetSchema, { file: [...dependencies, file] });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, set)));
  const load = (name: string) => registry.getMessage(`things.v1.${name}`) as DescMessage as GenMessage<Thing>;
  return { Happened: load("Happened"), Ended: load("Ended"), Foreign: load("Foreign"), NoEvent: load("NoEvent") };
}

export const streams = {
  events: { ...defaultEventStream, prefix: "things" },
  deadLetters: defaultDeadLetterStream,
};
