import { createClient } from "@connectrpc/connect";
import type { EdgeSettings } from "../../../mesh/client/edge-settings.ts";
import { createMesh } from "../../../mesh/client/mesh.ts";
import { createStaticDiscovery } from "../../../mesh/discovery/static.ts";
import { BenchService } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";
import { answerAsBenchClient } from "./answer.ts";
import { weftCalls } from "./weft-calls.ts";
import { openService } from "./weft-settings.ts";

// Several addresses for the row of many replicas; "grpc" as transport for that of plain gRPC.
const { BENCH_ADDRESSES, BENCH_ADDRESS = "", BENCH_TRANSPORT = "auto" } = process.env;
const instances = (BENCH_ADDRESSES?.split(",") ?? [BENCH_ADDRESS]).map((address) => ({ address }));
const discovery = createStaticDiscovery(new Map([["bench", instances]]));
const mesh = createMesh({ service: "caller", discovery, ...(await openService("caller")) });
mesh.edge("bench").transport = BENCH_TRANSPORT as EdgeSettings["transport"];

answerAsBenchClient(weftCalls(createClient(BenchService, mesh.transport("bench"))));
