import { freePort } from "../../dev/processes/ports.ts";
import { answerAsServer } from "./answer.ts";
import { readCounts } from "./read-counts.ts";
import { serveBench } from "./weft-serve.ts";

// "0.0.0.0" where it stands for many replicas, each with an address of the loopback's own.
const { BENCH_HOST = "127.0.0.1" } = process.env;
const metricsPort = await freePort();
const metricsAddress = { host: "127.0.0.1", port: metricsPort };

answerAsServer(
  async () => (await serveBench({ grpcAddress: { host: BENCH_HOST, port: 0 }, metricsAddress })).port,
  () => readCounts("server", metricsPort),
);
