import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { BenchService } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";

/** Says back what it is told. */
export const benchImplementation: ServiceImpl<typeof BenchService> = {
  echo: ({ text }) => ({ text }),
  echoOrder: ({ order }) => (order ? { order } : {}),
  echoBytes: ({ data }) => ({ data }),
};

export function benchRoutes(router: ConnectRouter): void {
  router.service(BenchService, benchImplementation);
}
