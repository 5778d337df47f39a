import { Code, type ConnectError } from "@connectrpc/connect";
import type { Clock, Random } from "../contract/clock.ts";
import type { Instance } from "../contract/discovery.ts";
import { notRunReason, rpcError } from "../contract/errors.ts";
import {
  type BreakerState,
  type BreakerStatus,
  breakerOpenReason,
  createBreaker,
  verdictOf,
} from "../resilience/breaker.ts";
import type { Attempt } from "./attempt.ts";
import { createBalancer } from "./balancer.ts";
import type { CalledMethod } from "./called-method.ts";
import type { EdgeSettings } from "./edge-settings.ts";
import { type Connect, createEndpoint, type Endpoint } from "./endpoint.ts";
import type { LoadVerdict } from "./endpoint-load.ts";
import { createOpening } from "./opening.ts";
import { createStreamUnderWay, type StreamUnderWay } from "./stream-under-way.ts";
import { type Seat, subsetOf } from "./subset.ts";

/** A called service: its endpoints, which come and go, their breakers, and what can be changed of the calls to it. */
export interface Target {
  readonly name: string;
  readonly edge: EdgeSettings;
  /**
   * Chooses an endpoint whose breaker lets a unary call to the method through; another than the last one if there is one. Whoever picks
   * sends, and tells attemptEnded().
   *
   * @param nowMs monotonic
   * @throws ConnectError UNAVAILABLE, reason BREAKER_OPEN, if there is none; CANCELLED once closed
   */
  pick(method: CalledMethod, nowMs: number, last?: Endpoint): Endpoint;
  /** Told of the end of each unary attempt. */
  attemptEnded(attempt: Attempt, error: ConnectError | undefined): void;
  /** While no instance is known yet, and not for long: resolves when one is, or when it is time to do without. */
  opening(): Promise<void> | undefined;
  /** Chooses an endpoint for a stream. @throws as pick() */
  beginStream(method: CalledMethod, nowMs: number): StreamUnderWay;
  /** The instances that there are now: endpoints of new ones are opened, those of others retire. */
  update(instances: readonly Instance[]): void;
  /** The seat has changed: of very many instances others may have to be kept. */
  reseat(): void;
  breakers(): BreakerStatus[];
  close(): void;
}

/** At a process's start calls wait so long until somebody is known whom they can go to. */
const openingTimeoutMs = 2_000;

export type OnBreakerChange = (status: BreakerStatus) => void;

export interface TargetOptions {
  readonly name: string;
  readonly edge: EdgeSettings;
  readonly connect: Connect;
  /** Where this process sits now among those that call the same service. */
  readonly seat: () => Seat;
  /** Where it runs: instances there are preferred. */
  readonly zone?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly onBreakerChange: OnBreakerChange;
  /** An instance is left alone because it fails more than the others, or is taken back. */
  readonly onEjection: (address: string, ejected: boolean) => void;
}

/** How long an ejected instance may take to say that it is well. */
const healthTimeoutMs = 1_000;

/** Creates a target without endpoints. */
export function createTarget(options: TargetOptions): Target {
  const { name, edge, connect, seat, clock, onBreakerChange } = options;
  const endpoints = new Map<string, Endpoint>();
  const suspects = new Set<Endpoint>();
  const opening = createOpening(openingTimeoutMs);
  let latest: readonly Instance[] = [];
  let closed = false;

  const balancer = createBalancer<Endpoint, CalledMethod>({
    admits: (endpoint, method) => !endpoint.draining && endpoint.breaker(method).admits(),
    random: options.random,
    zone: options.zone,
    onEjection: ({ instance }, ejected) => options.onEjection(instance.address, ejected),
  });
  edge.onSplit = (percentages) => balancer.split(percentages);
  balancer.split(edge.split);
  const open = (instance: Instance): Endpoint =>
    createEndpoint(instance, connect, (method) =>
      createBreaker((state: BreakerState) =>
        onBreakerChange({ target: name, endpoint: instance.address, method, state }),
      ),
    );
  /** Whether an instance is well is not found out at the cost of a call, which might not be one to repeat. */
  const ask = async (endpoint: Endpoint): Promise<void> => {
    const isWell = await endpoint.connector.isWell(healthTimeoutMs);
    if (!closed) balancer.asked(endpoint, clock.monotonic(), isWell);
  };
  /** A call failed as it would if the instance were away or frozen. If it is, no other call shall find that out. */
  const suspect = async (endpoint: Endpoint): Promise<void> => {
    if (suspects.has(endpoint) || endpoint.balanced.outlier.isEjected) return;
    suspects.add(endpoint);
    const isWell = await endpoint.connector.isWell(healthTimeoutMs);
    suspects.delete(endpoint);
    if (!closed && !isWell && !endpoint.balanced.outlier.isEjected) {
      balancer.asked(endpoint, clock.monotonic(), false);
    }
  };
  /** Where nobody else is left, one that wants no new calls may still have to say so itself. */
  const draining = (method: CalledMethod): Endpoint | undefined =>
    balancer.members.find((endpoint) => endpoint.draining && endpoint.breaker(method).admits());
  const pick = (method: CalledMethod, nowMs: number, last?: Endpoint): Endpoint => {
    if (closed) throw rpcError(Code.Canceled, `this process is ending: it calls ${name} no more`);
    const due = balancer.takeProbe(nowMs);
    if (due !== undefined) void ask(due);
    return balancer.pick(nowMs, method, last) ?? draining(method) ?? refuse(name, method.policy.path, endpoints.size);
  };

  const update = (instances: readonly Instance[]): void => {
    if (closed) return;
    latest = instances;
    const kept = subsetOf(instances, seat());
    const addresses = new Set(kept.map(({ item }) => item.address));
    for (const [address, endpoint] of endpoints) {
      if (addresses.has(address)) continue;
      endpoints.delete(address);
      endpoint.retire();
    }
    const candidates = kept.map(({ item: instance, part }) => {
      const endpoint = endpoints.get(instance.address) ?? open(instance);
      endpoints.set(instance.address, endpoint);
      endpoint.instance = instance;
      const { weight = 1, zone, version } = instance;
      return { endpoint, weight: weight * part, zone, version };
    });
    balancer.update(clock.monotonic(), candidates);
    opening.end();
  };

  return {
    name,
    edge,
    opening: () => opening.until(),
    pick,
    attemptEnded({ endpoint, startedAtMs, endedAtMs, hurried }, error) {
      const verdict = error === undefined ? "well" : loadVerdictOf(error, hurried);
      balancer.ended(endpoint, endedAtMs, startedAtMs, verdict);
      if (verdict === "ill" && isSilence(error)) void suspect(endpoint);
    },
    beginStream(method, nowMs) {
      const endpoint = pick(method, nowMs);
      return createStreamUnderWay(balancer, endpoint, method, nowMs, () => clock.monotonic());
    },
    update,
    reseat() {
      if (latest.length > 0) update(latest);
    },
    breakers: () =>
      [...endpoints.values()].flatMap((endpoint) =>
        [...endpoint.breakers()].map(([method, { state }]) => {
          return { target: name, endpoint: endpoint.instance.address, method, state };
        }),
      ),
    close() {
      closed = true;
      opening.end();
      for (const endpoint of endpoints.values()) endpoint.close();
    },
  };
}

/** A refusal for want of room says that the endpoint is well, and that others may have more room. */
function loadVerdictOf(error: ConnectError, hurried: boolean): LoadVerdict {
  return error.code === Code.ResourceExhausted ? "loaded" : verdictOf(error, hurried);
}

/** The instance may have said nothing at all: away or frozen, which asking it tells apart from ill. */
function isSilence(error: ConnectError | undefined): boolean {
  return error?.code === Code.Unavailable || error?.code === Code.DeadlineExceeded;
}

function refuse(target: string, method: string, endpoints: number): never {
  if (endpoints === 0) {
    throw rpcError(Code.Unavailable, `no instance of ${target} is known: none has made itself known so far`, {
      reason: notRunReason,
      domain: "weft",
      metadata: { target, method },
    });
  }
  throw rpcError(Code.Unavailable, `${target} keeps failing: calls to ${method} are held back until it is well`, {
    reason: breakerOpenReason,
    domain: "weft",
    metadata: { target, method },
  });
}
