import type { MessageShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { isLabel } from "../discovery/setting.ts";
import type { FaultSchema, OverrideSchema } from "../gen/weft/overrides/v1/override_pb.ts";
import { ways } from "./edge-overrides.ts";

/** Longest that an override may hold. */
export const validityMaxMs = 7 * 86_400_000;
/** Clocks differ. */
const clockSkewMs = 60_000;
const delayMaxMs = 60_000;
const textLengthMax = 500;

type Override = MessageShape<typeof OverrideSchema>;
type Fault = MessageShape<typeof FaultSchema>;

/** What is wrong with an override whose signature is right; undefined if nothing is. */
export function overrideProblem(
  override: Override,
  { id, namespace, nowMs }: { readonly id: string; readonly namespace: string; readonly nowMs: number },
): string | undefined {
  if (override.namespace !== namespace || override.id !== id) {
    return `it is kept where ${override.namespace}.${override.id} does not belong`;
  }
  return textProblem(override) ?? dateProblem(override, nowMs) ?? effectProblem(override);
}

function textProblem({ author, reason, caller, target }: Override): string | undefined {
  if (author.trim() === "" || author.length > textLengthMax) return "it has no author";
  if (reason.trim() === "" || reason.length > textLengthMax) return "it has no reason";
  if (!isLabel(target)) return "it names no service that is called";
  if (caller !== "" && !isLabel(caller)) return "its caller is no service";
  return undefined;
}

function dateProblem({ issuedAt, expiresAt }: Override, nowMs: number): string | undefined {
  if (issuedAt === undefined || expiresAt === undefined) return "it has no dates";
  const [issuedMs, expiresMs] = [timestampMs(issuedAt), timestampMs(expiresAt)];
  if (issuedMs > nowMs + clockSkewMs) return "it was issued in the future";
  if (expiresMs > issuedMs + validityMaxMs) return "it holds for more than 7 days";
  if (expiresMs <= nowMs) return `it expired at ${new Date(expiresMs).toISOString()}`;
  return undefined;
}

function effectProblem({ effect }: Override): string | undefined {
  switch (effect.case) {
    case "transport":
      return effect.value in ways ? undefined : "it names no way";
    case "split":
      return splitProblem(effect.value.percentages);
    case "fault":
      return faultProblem(effect.value);
    case "withdrawal":
      return undefined;
    default:
      return "it has no effect that this release knows";
  }
}

function splitProblem(percentages: Readonly<Record<string, number>>): string | undefined {
  const entries = Object.entries(percentages);
  if (entries.length === 0) return "it splits between no versions";
  if (!entries.every(([version]) => isLabel(version))) return "it splits to what is no version";
  const sum = entries.reduce((total, [, percentage]) => total + percentage, 0);
  return sum > 100 ? `it splits ${sum} percent` : undefined;
}

function faultProblem({ percentage, method, kind }: Fault): string | undefined {
  if (percentage < 1 || percentage > 100) return "its percentage is not 1 to 100";
  if (method !== "" && !/^[\w.]+\/\w+$/.test(method)) return 'its method is not "package.Service/Method"';
  switch (kind.case) {
    case "delay": {
      const delayMs = Number(kind.value.seconds) * 1_000 + kind.value.nanos / 1e6;
      return delayMs > 0 && delayMs <= delayMaxMs ? undefined : "its delay is not above 0, up to a minute";
    }
    case "abortCode":
      return kind.value >= 1 && kind.value <= 16 ? undefined : "its code is not 1 to 16";
    case "blackhole":
      return undefined;
    default:
      return "it is a fault of no kind that this release knows";
  }
}
