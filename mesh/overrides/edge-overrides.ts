import type { MessageShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type FaultSchema, type OverrideSchema, Transport } from "../gen/weft/overrides/v1/override_pb.ts";

/** What is done to a call in place of sending it, or before. */
export interface InjectedFault {
  /** "package.Service/Method"; undefined: all. */
  readonly method: string | undefined;
  /** Of a hundred calls. */
  readonly percentage: number;
  readonly kind:
    | { readonly case: "delay"; readonly delayMs: number }
    | { readonly case: "abort"; readonly code: number }
    | { readonly case: "blackhole" };
}

/** What overrides make of the calls to one service. */
export interface EdgeOverrides {
  transport?: "auto" | "tunnel" | "grpc";
  /** Percentages by version. */
  split?: ReadonlyMap<string, number>;
  faults?: readonly InjectedFault[];
}

/** The ways as an edge's settings name them. */
export const ways: Readonly<Record<number, "auto" | "tunnel" | "grpc">> = {
  [Transport.AUTO]: "auto",
  [Transport.TUNNEL]: "tunnel",
  [Transport.GRPC]: "grpc",
};

type Override = MessageShape<typeof OverrideSchema>;

/** Joins overrides by the called service: of several that say the same thing the one issued last holds, faults add up. */
export function joinOverrides(overrides: Iterable<Override>): Map<string, EdgeOverrides> {
  const edges = new Map<string, EdgeOverrides>();
  for (const { target, effect } of [...overrides].sort(byIssue)) {
    const edge = edges.get(target) ?? {};
    edges.set(target, edge);
    if (effect.case === "transport") edge.transport = ways[effect.value] ?? "auto";
    if (effect.case === "split") edge.split = new Map(Object.entries(effect.value.percentages));
    if (effect.case === "fault") edge.faults = [...(edge.faults ?? []), toInjected(effect.value)];
  }
  return edges;
}

function byIssue(a: Override, b: Override): number {
  const [first, second] = [issuedMs(a), issuedMs(b)];
  // Of two at once, all processes must choose the same.
  return first === second ? (a.id < b.id ? -1 : 1) : first - second;
}

/** When an override was issued, milliseconds since the epoch. */
export function issuedMs({ issuedAt }: Override): number {
  return issuedAt === undefined ? 0 : timestampMs(issuedAt);
}

function toInjected({ method, percentage, kind }: MessageShape<typeof FaultSchema>): InjectedFault {
  const common = { method: method || undefined, percentage };
  if (kind.case === "delay") {
    return { ...common, kind: { case: "delay", delayMs: Number(kind.value.seconds) * 1_000 + kind.value.nanos / 1e6 } };
  }
  if (kind.case === "abortCode") return { ...common, kind: { case: "abort", code: kind.value } };
  return { ...common, kind: { case: "blackhole" } };
}
