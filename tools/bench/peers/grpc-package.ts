import { createRequire } from "node:module";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { GrpcObject, loadPackageDefinition, ServiceClientConstructor } from "@grpc/grpc-js";
import { file_weft_bench_v1_bench } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";

/** The bench's own packages, which are there for the peers only: what is used of each is typed here. */
export const requirePeer = createRequire(import.meta.url);

type PackageDefinition = Parameters<typeof loadPackageDefinition>[0];

interface ProtoLoader {
  loadFileDescriptorSetFromBuffer(descriptorSet: Buffer, options: object): PackageDefinition;
}

/** The bench's contract without the mesh's options and rules, as @grpc/proto-loader reads it: what a team has that goes without the mesh. */
export function loadBenchPackage(): PackageDefinition {
  const { proto } = file_weft_bench_v1_bench;
  const bare = {
    ...proto,
    dependency: [],
    messageType: proto.messageType.map((message) => ({
      ...message,
      // Of descriptors the loader takes names as they are: these are what it makes of a .proto file's.
      field: message.field.map((field) => ({ ...field, name: field.jsonName, options: undefined })),
    })),
    service: proto.service.map((service) => ({
      ...service,
      options: undefined,
      method: service.method.map((method) => ({ ...method, options: undefined })),
    })),
  };
  const set = create(FileDescriptorSetSchema, { file: [create(FileDescriptorProtoSchema, bare as typeof proto)] });
  const { loadFileDescriptorSetFromBuffer } = requirePeer("@grpc/proto-loader") as ProtoLoader;
  // The fastest that it can do: no long numbers to make.
  return loadFileDescriptorSetFromBuffer(Buffer.from(toBinary(FileDescriptorSetSchema, set)), { longs: Number });
}

/** The client's and the server's side of the service, as grpc-js makes them from a package. */
export function benchService(load: (definition: PackageDefinition) => GrpcObject): ServiceClientConstructor {
  const path = ["weft", "bench", "v1"];
  const inner = path.reduce((object, name) => object[name] as GrpcObject, load(loadBenchPackage()));
  return inner.BenchService as ServiceClientConstructor;
}
