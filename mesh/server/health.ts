import { setTimeout } from "node:timers/promises";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import { type Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../gen/grpc/health/v1/health_pb.ts";

/** Whether a server and each of its services take calls, as probes and load balancers ask (grpc.health.v1). */
export interface HealthState {
  readonly service: Partial<ServiceImpl<typeof Health>>;
  /** SERVING once started and as long as what it needs is there. */
  serving(): boolean;
  /** NOT_SERVING from now on, whatever ready() says. */
  drain(): void;
}

/** How often a watcher's status is looked at again. */
const watchIntervalMs = 250;

/** Creates the health of a server that answers the given services ("shop.order.v1.OrderService"). */
export function createHealth(services: ReadonlySet<string>, ready: () => boolean): HealthState {
  let draining = false;
  const serving = (): boolean => !draining && ready();
  const statusOf = (service: string): ServingStatus | undefined => {
    if (service !== "" && !services.has(service)) return undefined;
    return serving() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  };
  return {
    serving,
    drain() {
      draining = true;
    },
    service: {
      check({ service }) {
        const status = statusOf(service);
        if (status === undefined) throw rpcError(Code.NotFound, `this server has no service "${service}"`);
        return { status };
      },
      async *watch({ service }, { signal }) {
        let last: ServingStatus | undefined;
        while (!signal.aborted) {
          const status = statusOf(service) ?? ServingStatus.SERVICE_UNKNOWN;
          if (status !== last) yield { status };
          last = status;
          await setTimeout(watchIntervalMs, undefined, { signal }).catch(() => undefined);
        }
      },
      list: () => ({
        statuses: Object.fromEntries([...services, ""].map((name) => [name, { status: statusOf(name) ?? 0 }])),
      }),
    },
  };
}
