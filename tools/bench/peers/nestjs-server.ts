import type * as grpcJs from "@grpc/grpc-js";
import { freePort } from "../../dev/processes/ports.ts";
import { answerAsServer } from "./answer.ts";
import { loadBenchPackage, requirePeer } from "./grpc-package.ts";

type Decorator = (target: object, key?: string, descriptor?: PropertyDescriptor) => void;

interface Nest {
  readonly Controller: () => Decorator;
  readonly Module: (parts: { controllers: object[] }) => Decorator;
  readonly NestFactory: { createMicroservice(module: object, options: object): Promise<{ listen(): Promise<void> }> };
  readonly GrpcMethod: (service: string, method: string) => Decorator;
  readonly Transport: { readonly GRPC: number };
}

requirePeer("reflect-metadata");
const { Controller, Module } = requirePeer("@nestjs/common") as Nest;
const { NestFactory } = requirePeer("@nestjs/core") as Nest;
const { GrpcMethod, Transport } = requirePeer("@nestjs/microservices") as Nest;

class BenchController {
  echo(request: unknown): unknown {
    return request;
  }
  echoOrder(request: unknown): unknown {
    return request;
  }
  echoBytes(request: unknown): unknown {
    return request;
  }
}
class BenchModule {}

// What @GrpcMethod() and its like do, called by hand: decorators are no syntax that Node runs.
for (const [key, name] of [
  ["echo", "Echo"],
  ["echoOrder", "EchoOrder"],
  ["echoBytes", "EchoBytes"],
] as const) {
  const { prototype } = BenchController;
  GrpcMethod("BenchService", name)(prototype, key, Object.getOwnPropertyDescriptor(prototype, key));
}
Controller()(BenchController);
Module({ controllers: [BenchController] })(BenchModule);

answerAsServer(async () => {
  const { ServerCredentials } = requirePeer("@grpc/grpc-js") as typeof grpcJs;
  const port = await freePort();
  const options = {
    url: `127.0.0.1:${port}`,
    package: "weft.bench.v1",
    packageDefinition: loadBenchPackage(),
    credentials: ServerCredentials.createInsecure(),
  };
  const app = await NestFactory.createMicroservice(BenchModule, { transport: Transport.GRPC, options, logger: false });
  await app.listen();
  return port;
});
