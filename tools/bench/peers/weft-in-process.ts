import { createClient } from "@connectrpc/connect";
import { createMesh } from "../../../mesh/client/mesh.ts";
import { createStaticDiscovery } from "../../../mesh/discovery/static.ts";
import { BenchService } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";
import { createInProcessNetwork } from "../../../mesh/server/in-process-network.ts";
import { answerAsBenchClient } from "./answer.ts";
import { weftCalls } from "./weft-calls.ts";
import { serveBench } from "./weft-serve.ts";
import { openService } from "./weft-settings.ts";

// Caller and called in one process, as in the single-process topology.
const inProcess = createInProcessNetwork();
await serveBench({ inProcess });
const mesh = createMesh({
  service: "caller",
  discovery: createStaticDiscovery(new Map()),
  inProcess,
  ...(await openService("caller")),
});

answerAsBenchClient(weftCalls(createClient(BenchService, mesh.transport("bench"))));
