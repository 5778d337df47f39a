import { createClient } from "@connectrpc/connect";
import type { EdgeSettings } from "../../../mesh/client/edge-settings.ts";
import { createMesh } from "../../../mesh/client/mesh.ts";
import { createStaticDiscovery } from "../../../mesh/discovery/static.ts";
import { BenchService } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";
import { answerAsBenchClient } from "./answer.ts";
import { weftCalls } from "./weft-calls.ts";
import { openService } from "./weft-settings.ts";

const discovery = createStaticDiscovery(new Map([["bench", [{ address: process.env.BENCH_ADDRESS ?? "" }]]]));
const mesh = createMesh({ service: "caller", discovery, ...(await openService("caller")) });
// "grpc" for the row of plain gRPC.
const { BENCH_TRANSPORT = "auto" } = process.env;
mesh.edge("bench").transport = BENCH_TRANSPORT as EdgeSettings["transport"];

answerAsBenchClient(weftCalls(createClient(BenchService, mesh.transport("bench"))));
