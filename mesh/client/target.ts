import { Code, type ConnectError } from "@connectrpc/connect";
import type { Instance } from "../contract/discovery.ts";
import { notRunReason, rpcError } from "../contract/errors.ts";
import { type BreakerState, type BreakerStatus, breakerOpenReason, createBreaker } from "../resilience/breaker.ts";
import type { Attempt } from "./attempt.ts";
import type { CalledMethod } from "./called-method.ts";
import type { EdgeSettings } from "./edge-settings.ts";
import { type Connector, createEndpoint, type Endpoint } from "./endpoint.ts";
import type { Balancer } from "./round-robin.ts";

/** A called service: its endpoints, which come and go, their breakers, and what can be changed of the calls to it. */
export interface Target {
  readonly name: string;
  readonly edge: EdgeSettings;
  /**
   * Chooses an endpoint whose breaker lets a call to the method through; another than the last one if there is one. Whoever picks sends.
   *
   * @throws ConnectError UNAVAILABLE, reason BREAKER_OPEN, if there is none; CANCELLED once closed
   */
  pick(method: CalledMethod, last?: Endpoint): Endpoint;
  /** Told of the end of each unary attempt. */
  attemptEnded(attempt: Attempt, error: ConnectError | undefined): void;
  /** While no instance is known yet, and not for long: resolves when one is, or when it is time to do without. */
  readonly opening: Promise<void> | undefined;
  /** The instances that there are now: endpoints of new ones are opened, those of others retire. */
  update(instances: readonly Instance[]): void;
  breakers(): BreakerStatus[];
  close(): void;
}

/** At a process's start calls wait so long until somebody is known whom they can go to. */
const openingTimeoutMs = 2_000;

export type OnBreakerChange = (status: BreakerStatus) => void;

export interface TargetOptions {
  readonly name: string;
  readonly edge: EdgeSettings;
  readonly balancer: Balancer;
  readonly connect: (instance: Instance) => Connector;
  readonly onBreakerChange: OnBreakerChange;
}

/** Creates a target without endpoints. */
export function createTarget({ name, edge, balancer, connect, onBreakerChange }: TargetOptions): Target {
  const endpoints = new Map<string, Endpoint>();
  let opening: Promise<void> | undefined;
  let opened = (): void => undefined;
  let closed = false;

  const beginOpening = (): void => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => opened(), openingTimeoutMs).unref();
    opening = promise;
    opened = () => {
      clearTimeout(timer);
      opening = undefined;
      opened = () => undefined;
      resolve();
    };
  };
  beginOpening();

  const open = (instance: Instance): Endpoint =>
    createEndpoint(instance, connect(instance), (method) =>
      createBreaker((state: BreakerState) =>
        onBreakerChange({ target: name, endpoint: instance.address, method, state }),
      ),
    );

  return {
    name,
    edge,
    pick(method, last) {
      if (closed) throw rpcError(Code.Canceled, `this process is ending: it calls ${name} no more`);
      return balancer.pick(method, last) ?? refuse(name, method.policy.path, endpoints.size);
    },
    get opening() {
      return opening;
    },
    attemptEnded: (attempt, error) => balancer.attemptEnded(attempt, error),
    update(instances) {
      if (closed) return;
      const addresses = new Set(instances.map(({ address }) => address));
      for (const [address, endpoint] of endpoints) {
        if (addresses.has(address)) continue;
        endpoints.delete(address);
        endpoint.retire();
      }
      for (const instance of instances) {
        const known = endpoints.get(instance.address);
        if (known === undefined) endpoints.set(instance.address, open(instance));
        else known.instance = instance;
      }
      balancer.update([...endpoints.values()]);
      opened();
    },
    breakers: () =>
      [...endpoints.values()].flatMap(({ instance, breakers }) =>
        [...breakers()].map(([method, { state }]) => ({ target: name, endpoint: instance.address, method, state })),
      ),
    close() {
      closed = true;
      opened();
      for (const endpoint of endpoints.values()) endpoint.close();
    },
  };
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
