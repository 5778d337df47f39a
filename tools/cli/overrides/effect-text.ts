import { status } from "@grpc/grpc-js";
import { type Override as Message, Transport } from "@weft/mesh/gen/weft/overrides/v1/override_pb.js";

const ways: Readonly<Record<number, string>> = {
  [Transport.AUTO]: "auto",
  [Transport.TUNNEL]: "tunnel",
  [Transport.GRPC]: "grpc",
};

/** What an override does, in a few words: "transport grpc", "split v2=10%", "fault: 20% of GetProduct delayed by 300 ms". */
export function effectText({ effect }: Pick<Message, "effect">): string {
  switch (effect.case) {
    case "transport":
      return `transport ${ways[effect.value] ?? effect.value}`;
    case "split": {
      const parts = Object.entries(effect.value.percentages).map(
        ([version, percentage]) => `${version}=${percentage}%`,
      );
      return `split ${parts.join(" ")}`;
    }
    case "fault": {
      const { method, percentage, kind } = effect.value;
      const calls = `${percentage}% of ${method === "" ? "all calls" : method}`;
      return `fault: ${calls} ${kindText(kind)}`;
    }
    case "withdrawal":
      return "withdrawn";
    default:
      return "nothing that this release knows";
  }
}

type FaultKind = Extract<Message["effect"], { case: "fault" }>["value"]["kind"];

function kindText(kind: FaultKind): string {
  if (kind.case === "delay") return `delayed by ${Number(kind.value.seconds) * 1_000 + kind.value.nanos / 1e6} ms`;
  if (kind.case === "abortCode") return `fail with ${status[kind.value] ?? kind.value}`;
  return "never answered";
}
