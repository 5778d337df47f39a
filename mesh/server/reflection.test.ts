import { create, createFileRegistry, fromBinary, getOption, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ServerReflectionRequest, ServerReflection as V1 } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as V1Alpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { method } from "../gen/weft/v1/options_pb.ts";
import { echoRoutes } from "../testing/echo.ts";
import { createWorld, type World } from "../testing/world.ts";

let world: World;
beforeEach(async () => {
  world = await createWorld();
  await world.serve("echo", echoRoutes());
});
afterEach(() => world[Symbol.asyncDispose]());

type Ask = ServerReflectionRequest["messageRequest"];

describe.each([
  ["v1", V1],
  ["v1alpha", V1Alpha],
] as const)("reflection %s", (_version, service) => {
  async function ask(...messageRequests: Ask[]) {
    const client = createClient(service as typeof V1, (await world.mesh("operator")).transport("echo"));
    const requests = async function* () {
      for (const messageRequest of messageRequests) yield { host: "", messageRequest };
    };
    const answers = [];
    for await (const { messageResponse } of client.serverReflectionInfo(requests())) answers.push(messageResponse);
    return answers;
  }

  test("lists the services", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });
    if (answer?.case !== "listServicesResponse") throw new Error(`got ${answer?.case}`);
    expect(answer.value.service.map(({ name }) => name)).toEqual([
      "grpc.health.v1.Health",
      "weft.admin.v1.AdminService",
      "weft.echo.v1.EchoService",
    ]);
  });

  test("serves files from which a client rebuilds the service, custom options and all", async () => {
    const [answer] = await ask({ case: "fileContainingSymbol", value: "weft.echo.v1.EchoService.EchoAgain" });
    if (answer?.case !== "fileDescriptorResponse") throw new Error(`got ${answer?.case}`);
    const file = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    // Dependencies first: a client that adds one file after the other never meets an import that it does not know.
    const seen = new Set<string>();
    for (const { name, dependency } of file) {
      for (const needed of dependency) expect(seen).toContain(needed);
      seen.add(name);
    }
    const set = create(FileDescriptorSetSchema, { file });
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, set)));
    const echoAgain = registry.getService("weft.echo.v1.EchoService")?.method.echoAgain;
    if (echoAgain === undefined) throw new Error("no such method");
    expect(getOption(echoAgain, method).retry?.maxAttempts).toBe(3);
  });

  test("finds files by name and by extension, and numbers of extensions", async () => {
    const answers = await ask(
      { case: "fileByFilename", value: "weft/echo/v1/echo.proto" },
      {
        case: "fileContainingExtension",
        value: {
          $typeName: "grpc.reflection.v1.ExtensionRequest",
          containingType: "google.protobuf.MethodOptions",
          extensionNumber: 50710,
        },
      },
      { case: "allExtensionNumbersOfType", value: "google.protobuf.MethodOptions" },
    );
    expect(answers.map((answer) => answer.case)).toEqual([
      "fileDescriptorResponse",
      "fileDescriptorResponse",
      "allExtensionNumbersResponse",
    ]);
    const numbers = answers[2]?.case === "allExtensionNumbersResponse" ? answers[2].value.extensionNumber : [];
    expect(numbers).toContain(50710);
  });

  test("says what it does not have, and goes on", async () => {
    const [missing, empty, after] = await ask(
      { case: "fileContainingSymbol", value: "no.Such" },
      { case: undefined },
      { case: "listServices", value: "" },
    );
    expect(missing?.case === "errorResponse" && missing.value.errorMessage).toBe("this server has no symbol no.Such");
    expect(empty?.case).toBe("errorResponse");
    expect(after?.case).toBe("listServicesResponse");
  });
});
