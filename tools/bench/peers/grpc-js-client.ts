import type * as grpcJs from "@grpc/grpc-js";
import { type BenchAnswer, byteLengths, bytesOf, echoText, order } from "../workloads.ts";
import { answerAsBenchClient } from "./answer.ts";
import { benchService, requirePeer } from "./grpc-package.ts";

type Method = (request: object, callback: (error: Error | null, answer?: BenchAnswer) => void) => void;

const { credentials, loadPackageDefinition } = requirePeer("@grpc/grpc-js") as typeof grpcJs;
const BenchClient = benchService(loadPackageDefinition);
const address = process.env.BENCH_ADDRESS ?? "";
const client = new BenchClient(address, credentials.createInsecure()) as unknown as Record<
  "echo" | "echoOrder" | "echoBytes",
  Method
>;

const call =
  (method: keyof typeof client, request: () => object): (() => Promise<BenchAnswer>) =>
  () =>
    new Promise((resolve, reject) => {
      client[method](request(), (error, answer) => {
        if (error || answer === undefined) reject(error ?? new Error("no answer"));
        else resolve(answer);
      });
    });
const data = { "16k": bytesOf(byteLengths["16k"]), "256k": bytesOf(byteLengths["256k"]) };

answerAsBenchClient({
  echo: call("echo", () => ({ text: echoText })),
  order: call("echoOrder", () => ({ order })),
  "16k": call("echoBytes", () => ({ data: data["16k"] })),
  "256k": call("echoBytes", () => ({ data: data["256k"] })),
});
