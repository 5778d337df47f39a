import { createClient } from "@connectrpc/connect";
import type { EdgeSettings } from "../../../mesh/client/edge-settings.ts";
import { createMesh } from "../../../mesh/client/mesh.ts";
import { createStaticDiscovery } from "../../../mesh/discovery/static.ts";
import { BenchService } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";
import { freePort } from "../../dev/processes/ports.ts";
import { answerAsBenchClient } from "./answer.ts";
import { readCounts } from "./read-counts.ts";
import { weftCalls } from "./weft-calls.ts";
import { openService } from "./weft-settings.ts";

// Several addresses for the row of many replicas; "grpc" as transport for that of plain gRPC.
const { BENCH_ADDRESSES, BENCH_ADDRESS = "", BENCH_TRANSPORT = "auto" } = process.env;
const instances = (BENCH_ADDRESSES?.split(",") ?? [BENCH_ADDRESS]).map((address) => ({ address }));
const discovery = createStaticDiscovery(new Map([["bench", instances]]));
const service = await openService("caller");
const mesh = createMesh({ service: "caller", discovery, ...service });
mesh.edge("bench").transport = BENCH_TRANSPORT as EdgeSettings["transport"];

const metricsPort = await freePort();
await service.telemetry.serveMetrics({ host: "127.0.0.1", port: metricsPort });

answerAsBenchClient(weftCalls(createClient(BenchService, mesh.transport("bench"))), () =>
  readCounts("client", metricsPort),
);
