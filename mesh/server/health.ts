import { setTimeout } from "node:timers/promises";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import { type Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../gen/grpc/health/v1/health_pb.ts";

/** Whether a server and each of its services take calls, as probes and load balancers ask (grpc.health.v1). */
export interface HealthState {
  readonly service: Partial<ServiceImpl<typeof Health>>;
  /** NOT_SERVING from now on, whatever ready() says; watches are told and end. */
  drain(): void;
}

/** How often a watcher's status is looked at again. */
const watchIntervalMs = 250;

/** Creates the health of a server that answers the given services ("shop.order.v1.OrderService"). */
export function createHealth(services: ReadonlySet<string>, ready: () => boolean): HealthState {
  let draining = false;
  const atDrain = new Set<() => void>();
  const serving = (): boolean => !draining && ready();
  const statusOf = (service: string): ServingStatus | undefined => {
    if (service !== "" && !services.has(service)) return undefined;
    return serving() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  };
  return {
    drain() {
      draining = true;
      for (const wake of atDrain) wake();
    },
    service: {
      check({ service }) {
        const status = statusOf(service);
        if (status === undefined) throw rpcError(Code.NotFound, `this server has no service "${service}"`);
        return { status };
      },
      async *watch({ service }, { signal }) {
        const awake = new AbortController();
        const wake = (): void => awake.abort();
        atDrain.add(wake);
        const either = AbortSignal.any([signal, awake.signal]);
        try {
          let last: ServingStatus | undefined;
          while (!signal.aborted) {
            const status = statusOf(service) ?? ServingStatus.SERVICE_UNKNOWN;
            if (status !== last) yield { status };
            last = status;
            // A watch that went on would hold up the drain.
            if (draining) return;
            await setTimeout(watchIntervalMs, undefined, { signal: either }).catch(() => undefined);
          }
        } finally {
          atDrain.delete(wake);
        }
      },
      list: () => ({
        statuses: Object.fromEntries([...services, ""].map((name) => [name, { status: statusOf(name) ?? 0 }])),
      }),
    },
  };
}
