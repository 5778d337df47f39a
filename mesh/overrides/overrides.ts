import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Clock } from "../contract/clock.ts";
import type { OverrideSource } from "../contract/override-source.ts";
import type { Credentials } from "../security/credentials.ts";
import { spiffeId } from "../security/spiffe.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type EdgeOverrides, issuedMs, joinOverrides } from "./edge-overrides.ts";
import { type Override, OverrideRefused, openOverride } from "./signed-override.ts";

/** An override that this process was told of. */
export interface KnownOverride {
  /** "shop.split.catalog" */
  readonly key: string;
  /** Undefined if nobody can tell what it says. */
  readonly override: Override | undefined;
  /** Why it is not obeyed; undefined: it is. */
  readonly ignoredBecause: string | undefined;
}

export interface OverridesOptions {
  readonly source: OverrideSource;
  /** Whose calls are made here. */
  readonly service: string;
  readonly credentials: Pick<Credentials, "identify" | "trustDomain">;
  /** Whether this process was started to have faults injected. */
  readonly faultsAllowed: boolean;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Told, on each change, what is in force: by called service. */
  readonly apply: (edges: ReadonlyMap<string, EdgeOverrides>) => void;
}

/** The runtime overrides of one process. */
export interface Overrides extends Disposable {
  known(): KnownOverride[];
}

/** Of ids that a process remembers; further ones are not taken. */
const overridesMax = 1_000;
const timerMaxMs = 2 ** 31 - 1;

/**
 * Obeys what a source holds and an operator has signed, from within a second until it expires or something newer is signed in its place. What
 * is not signed changes nothing, a removal neither: that would be a way to change things without a name.
 */
export function createOverrides(options: OverridesOptions): Overrides {
  const { source, service, credentials, faultsAllowed, clock } = options;
  const { logger, meter } = options.telemetry;
  const operator = spiffeId(credentials.trustDomain, "operator");
  const identify = credentials.identify;
  const signed = new Map<string, Override>();
  const ignored = new Map<string, Omit<KnownOverride, "key">>();
  const refusals = meter.createCounter("weft.overrides.ignored", {
    description: "Runtime overrides that are not obeyed",
  });
  let timer: NodeJS.Timeout | undefined;
  let inForce: readonly Override[] = [];

  const isMine = ({ caller }: Override): boolean => caller === "" || caller === service;
  const isExpired = ({ expiresAt }: Override): boolean =>
    expiresAt === undefined || timestampMs(expiresAt) <= clock.now();

  const refuse = (id: string, reason: string, override: Override | undefined): void => {
    if (ignored.get(id)?.ignoredBecause === reason || (ignored.size >= overridesMax && !ignored.has(id))) return;
    ignored.set(id, { override, ignoredBecause: reason });
    refusals.add(1);
    logger.warn("a runtime override is ignored", { id, because: reason, ...(override && aboutOverride(override)) });
  };

  const update = (): void => {
    clearTimeout(timer);
    for (const [id, override] of signed) if (isExpired(override)) signed.delete(id);
    const next = [...signed.values()].filter((override) => isMine(override) && override.effect.case !== "withdrawal");
    for (const override of inForce) {
      if (!next.includes(override)) logger.info("a runtime override is over", aboutOverride(override));
    }
    for (const override of next) {
      if (!inForce.includes(override)) logger.info("a runtime override is in force", aboutOverride(override));
    }
    inForce = next;
    options.apply(joinOverrides(inForce));
    const expiries = [...signed.values()].map(({ expiresAt }) => (expiresAt ? timestampMs(expiresAt) : 0));
    if (expiries.length === 0) return;
    timer = setTimeout(update, Math.min(Math.max(Math.min(...expiries) - clock.now(), 0), timerMaxMs));
    timer.unref();
  };

  const reasonAgainst = (override: Override, before: Override | undefined): string | undefined => {
    if (before !== undefined && issuedMs(before) > issuedMs(override)) return "a newer one has taken its place";
    if (before === undefined && signed.size >= overridesMax) return "there are too many";
    if (override.effect.case !== "fault" || faultsAllowed || !isMine(override)) return undefined;
    return "this process was not started with WEFT_FAULTS_ALLOWED=true";
  };
  const take = (id: string, override: Override): void => {
    const before = signed.get(id);
    // Read again.
    if (before !== undefined && issuedMs(before) === issuedMs(override)) return;
    const reason = reasonAgainst(override, before);
    if (reason !== undefined) {
      refuse(id, reason, override);
    } else {
      ignored.delete(id);
      signed.set(id, override);
      update();
    }
  };
  const open = (id: string, bytes: Uint8Array): void => {
    try {
      take(id, openOverride(id, bytes, { operator, identify, namespace: source.namespace, nowMs: clock.now() }));
    } catch (error) {
      if (!(error instanceof OverrideRefused)) throw error;
      refuse(id, error.message, error.says);
    }
  };
  const hear = (id: string, bytes: Uint8Array | undefined): void => {
    const before = signed.get(id);
    if (bytes !== undefined) open(id, bytes);
    else if (before) refuse(id, "its removal is not signed: it holds until it expires or is withdrawn", before);
  };

  meter
    .createObservableGauge("weft.overrides.active", { description: "Runtime overrides in force here" })
    .addCallback((result) => result.observe(inForce.length));
  const watching = source.watch(hear);
  const keyOf = (id: string): string => `${source.namespace}.${id}`;
  return {
    known: () => [
      ...inForce.map((override) => ({ key: keyOf(override.id), override, ignoredBecause: undefined })),
      ...[...ignored].map(([id, rest]) => ({ key: keyOf(id), ...rest })),
    ],
    [Symbol.dispose]() {
      watching[Symbol.dispose]();
      clearTimeout(timer);
    },
  };
}

function aboutOverride({ id, author, reason, caller, target, effect, expiresAt }: Override) {
  const until = expiresAt && new Date(timestampMs(expiresAt)).toISOString();
  return { id, author, reason, target, effect: effect.case, until, ...(caller && { caller }) };
}
