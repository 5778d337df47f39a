import { type BenchAnswer, byteLengths, echoText, order } from "../workloads.ts";
import { answerAsBenchClient } from "./answer.ts";
import { createBroker } from "./moleculer.ts";

const broker = createBroker("bench-client", { urls: [`tcp://${process.env.BENCH_ADDRESS}/bench-server`] });
await broker.start();
await broker.waitForServices(["bench"]);

const call = (action: string, parameters: object): Promise<BenchAnswer> => broker.call(`bench.${action}`, parameters);
// JSON has no bytes: a text as long.
const text = (length: number): string => "weft mesh bench ".repeat(length / 16);
const data = { "16k": text(byteLengths["16k"]), "256k": text(byteLengths["256k"]) };

answerAsBenchClient({
  echo: () => call("echo", { text: echoText }),
  order: () => call("echoOrder", { order }),
  "16k": () => call("echoBytes", { data: data["16k"] }),
  "256k": () => call("echoBytes", { data: data["256k"] }),
});
