import { type BenchAnswer, byteLengths, bytesOf, echoText, order } from "../workloads.ts";
import { answerAsBenchClient } from "./answer.ts";
import { loadBenchPackage, requirePeer } from "./grpc-package.ts";

type Method = (request: object) => object;

interface Nest {
  readonly ClientProxyFactory: {
    create(options: object): { getService(name: string): Record<"echo" | "echoOrder" | "echoBytes", Method> };
  };
  readonly Transport: { readonly GRPC: number };
}

requirePeer("reflect-metadata");
const { firstValueFrom } = requirePeer("rxjs") as { firstValueFrom(observable: object): Promise<BenchAnswer> };
const { ClientProxyFactory, Transport } = requirePeer("@nestjs/microservices") as Nest;
const options = {
  url: process.env.BENCH_ADDRESS,
  package: "weft.bench.v1",
  packageDefinition: loadBenchPackage(),
};
const service = ClientProxyFactory.create({ transport: Transport.GRPC, options }).getService("BenchService");
const data = { "16k": bytesOf(byteLengths["16k"]), "256k": bytesOf(byteLengths["256k"]) };

answerAsBenchClient({
  echo: () => firstValueFrom(service.echo({ text: echoText })),
  order: () => firstValueFrom(service.echoOrder({ order })),
  "16k": () => firstValueFrom(service.echoBytes({ data: data["16k"] })),
  "256k": () => firstValueFrom(service.echoBytes({ data: data["256k"] })),
});
