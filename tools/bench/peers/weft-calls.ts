import type { Client } from "@connectrpc/connect";
import type { BenchService } from "../../../mesh/gen/weft/bench/v1/bench_pb.ts";
import { byteLengths, bytesOf, echoText, order } from "../workloads.ts";
import type { BenchCalls } from "./answer.ts";

/** Calls by Connect's client, as a service makes them: plain objects, made anew for each call. */
export function weftCalls(client: Client<typeof BenchService>): Required<BenchCalls> {
  const data = { "16k": bytesOf(byteLengths["16k"]), "256k": bytesOf(byteLengths["256k"]) };
  const lines = order.lines.map((line) => ({ ...line, unitPriceMinor: BigInt(line.unitPriceMinor) }));
  const exact = { ...order, lines };
  return {
    echo: () => client.echo({ text: echoText }),
    order: () => client.echoOrder({ order: exact }),
    "16k": () => client.echoBytes({ data: data["16k"] }),
    "256k": () => client.echoBytes({ data: data["256k"] }),
  };
}
