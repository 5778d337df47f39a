import { create, createFileRegistry, type FileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "@weft/mesh/gen/grpc/reflection/v1/reflection_pb.js";
import type { Channel } from "./channel.ts";

const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const reflectionTimeoutMs = 10_000;
/** A peer whose files import more than this is not a service, but a trap. */
const filesMax = 2_000;

type Question = NonNullable<ServerReflectionRequest["messageRequest"]> & { case: string };

/** Full names of all gRPC services that the peer serves, sorted. */
export async function listServices(channel: Channel): Promise<string[]> {
  const { messageResponse } = await ask(channel, { case: "listServices", value: "*" });
  if (messageResponse.case !== "listServicesResponse") return [];
  return messageResponse.value.service.map(({ name }) => name).sort();
}

/**
 * The file that defines a symbol and all that it imports, options' definitions included.
 *
 * @param symbol full name of a service, method, message, enum or extension
 * @returns undefined if the peer knows no such symbol
 */
export async function loadSymbol(channel: Channel, symbol: string): Promise<FileRegistry | undefined> {
  const found = await askForFiles(channel, { case: "fileContainingSymbol", value: symbol });
  return found === undefined ? undefined : await complete(channel, found);
}

/** All that the peer's services are made of. */
export async function loadServices(channel: Channel, services: readonly string[]): Promise<FileRegistry> {
  const answers = await Promise.all(
    services.map((service) => askForFiles(channel, { case: "fileContainingSymbol", value: service })),
  );
  return await complete(
    channel,
    answers.flatMap((files) => files ?? []),
  );
}

/** A peer may answer with the one file only: what it imports is asked for until nothing is missing. */
async function complete(channel: Channel, first: readonly FileDescriptorProto[]): Promise<FileRegistry> {
  const files = new Map<string, FileDescriptorProto>();
  let arrived = first;
  while (arrived.length > 0) {
    for (const file of arrived) files.set(file.name, file);
    if (files.size > filesMax) throw new Error(`more than ${filesMax} files through reflection`);
    const missing = new Set(arrived.flatMap((file) => file.dependency).filter((name) => !files.has(name)));
    const answers = await Promise.all(
      [...missing].map((name) => askForFiles(channel, { case: "fileByFilename", value: name })),
    );
    arrived = answers.flatMap((answer) => answer ?? []).filter((file) => !files.has(file.name));
  }
  return createFileRegistry(create(FileDescriptorSetSchema, { file: dependenciesFirst(files) }));
}

/** The order that a registry needs; reflection promises none. */
function dependenciesFirst(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const seen = new Set<FileDescriptorProto>();
  const ordered: FileDescriptorProto[] = [];
  const add = (file: FileDescriptorProto | undefined): void => {
    if (file === undefined || seen.has(file)) return;
    seen.add(file);
    for (const name of file.dependency) add(files.get(name));
    ordered.push(file);
  };
  for (const file of files.values()) add(file);
  return ordered;
}

async function askForFiles(channel: Channel, question: Question): Promise<FileDescriptorProto[] | undefined> {
  const { messageResponse } = await ask(channel, question);
  if (messageResponse.case !== "fileDescriptorResponse") return undefined;
  return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

async function ask(channel: Channel, question: Question): Promise<ServerReflectionResponse> {
  const request = create(ServerReflectionRequestSchema, { messageRequest: question });
  const requests = [toBinary(ServerReflectionRequestSchema, request)];
  for await (const bytes of channel.call(path, requests, { timeoutMs: reflectionTimeoutMs })) {
    return fromBinary(ServerReflectionResponseSchema, bytes);
  }
  throw new Error("the reflection service ended without an answer");
}
