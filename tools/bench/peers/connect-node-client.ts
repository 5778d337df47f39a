import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { BenchService } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";
import { answerAsBenchClient } from "./answer.ts";
import { weftCalls } from "./weft-calls.ts";

const transport = createGrpcTransport({
  baseUrl: `http://${process.env.BENCH_ADDRESS}`,
  nodeOptions: { maxSessionMemory: 1_000 },
});

answerAsBenchClient(weftCalls(createClient(BenchService, transport)));
