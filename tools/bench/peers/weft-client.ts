import { createClient } from "@connectrpc/connect";
import { createMesh } from "../../../mesh/client/mesh.ts";
import { BenchService } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";
import { answerAsBenchClient } from "./answer.ts";
import { weftCalls } from "./weft-calls.ts";
import { openService } from "./weft-settings.ts";

const endpoints = new Map([["bench", [process.env.BENCH_ADDRESS ?? ""]]]);
const mesh = createMesh({ service: "caller", endpoints, ...(await openService("caller")) });

answerAsBenchClient(weftCalls(createClient(BenchService, mesh.transport("bench"))));
