import { create, type DescFile, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
  ServerReflection as V1,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as V1Alpha,
  ServerReflectionRequestSchema as V1AlphaRequestSchema,
  ServerReflectionResponseSchema as V1AlphaResponseSchema,
} from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/**
 * Mounts server reflection, v1 and the v1alpha that older tools ask for. It serves the descriptors that the generated
 * code was made from, so custom options are all there, and files come dependencies first, which some clients need.
 *
 * @param more files that no service refers to: events
 */
export function mountReflection(
  router: ConnectRouter,
  services: readonly DescService[],
  more: readonly DescFile[] = [],
): void {
  const index = indexFiles([...services.map((service) => service.file), ...more]);
  const names = services.map((service) => service.typeName).sort();
  router.service(V1, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield answer(request, index, names);
    },
  });
  router.service(V1Alpha, {
    async *serverReflectionInfo(requests) {
      // The two versions differ in nothing but the package's name, so the bytes of one are the bytes of the other.
      for await (const request of requests) {
        const same = fromBinary(ServerReflectionRequestSchema, toBinary(V1AlphaRequestSchema, request));
        const reply = answer(same, index, names);
        yield fromBinary(V1AlphaResponseSchema, toBinary(ServerReflectionResponseSchema, reply));
      }
    },
  });
}

interface FileIndex {
  readonly byName: ReadonlyMap<string, DescFile>;
  readonly bySymbol: ReadonlyMap<string, DescFile>;
  /** Extended message's name -> field number -> file. */
  readonly byExtension: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

function answer(
  request: ServerReflectionRequest,
  index: FileIndex,
  services: readonly string[],
): ServerReflectionResponse {
  const messageResponse = respond(request.messageRequest, index, services);
  return create(ServerReflectionResponseSchema, {
    validHost: request.host,
    originalRequest: request,
    messageResponse,
  });
}

function respond(
  request: ServerReflectionRequest["messageRequest"],
  index: FileIndex,
  services: readonly string[],
): ServerReflectionResponse["messageResponse"] {
  switch (request.case) {
    case "listServices":
      return create(ServerReflectionResponseSchema, {
        messageResponse: { case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } },
      }).messageResponse;
    case "fileByFilename":
      return files(index.byName.get(request.value), `file ${request.value}`);
    case "fileContainingSymbol":
      return files(index.bySymbol.get(request.value), `symbol ${request.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      const file = index.byExtension.get(containingType)?.get(extensionNumber);
      return files(file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const numbers = [...(index.byExtension.get(request.value)?.keys() ?? [])];
      return create(ServerReflectionResponseSchema, {
        messageResponse: {
          case: "allExtensionNumbersResponse",
          value: { baseTypeName: request.value, extensionNumber: numbers },
        },
      }).messageResponse;
    }
    default:
      return failure(Code.InvalidArgument, "the request asks for nothing");
  }
}

function files(file: DescFile | undefined, what: string): ServerReflectionResponse["messageResponse"] {
  if (file === undefined) return failure(Code.NotFound, `this server has no ${what}`);
  const fileDescriptorProto = withDependencies([file]).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return create(ServerReflectionResponseSchema, {
    messageResponse: { case: "fileDescriptorResponse", value: { fileDescriptorProto } },
  }).messageResponse;
}

function failure(errorCode: Code, errorMessage: string): ServerReflectionResponse["messageResponse"] {
  return create(ServerReflectionResponseSchema, {
    messageResponse: { case: "errorResponse", value: { errorCode, errorMessage } },
  }).messageResponse;
}

/** Files with all that they import, dependencies first. */
function withDependencies(roots: readonly DescFile[]): DescFile[] {
  const ordered = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (ordered.has(file)) return;
    for (const dependency of file.dependencies) visit(dependency);
    ordered.add(file);
  };
  for (const root of roots) visit(root);
  return [...ordered];
}

function indexFiles(roots: readonly DescFile[]): FileIndex {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const byExtension = new Map<string, Map<number, DescFile>>();
  for (const file of withDependencies(roots)) {
    byName.set(file.proto.name, file);
    for (const symbol of symbolsOf(file)) bySymbol.set(symbol, file);
    for (const extension of file.extensions) {
      const numbers = byExtension.get(extension.extendee.typeName) ?? new Map<number, DescFile>();
      byExtension.set(extension.extendee.typeName, numbers.set(extension.number, file));
    }
  }
  return { byName, bySymbol, byExtension };
}

function* symbolsOf(file: DescFile): Iterable<string> {
  const pending = [...file.messages];
  for (let message = pending.pop(); message; message = pending.pop()) {
    yield message.typeName;
    for (const field of message.fields) yield `${message.typeName}.${field.name}`;
    for (const nested of message.nestedEnums) yield nested.typeName;
    for (const extension of message.nestedExtensions) yield extension.typeName;
    pending.push(...message.nestedMessages);
  }
  for (const item of file.enums) yield item.typeName;
  for (const extension of file.extensions) yield extension.typeName;
  for (const service of file.services) {
    yield service.typeName;
    for (const method of service.methods) yield `${service.typeName}.${method.name}`;
  }
}
