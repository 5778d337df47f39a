import { Code, type ServiceImpl } from "@connectrpc/connect";
import { rpcError } from "../contract/errors.ts";
import { type Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../gen/grpc/health/v1/health_pb.ts";

/**
 * Whether a server and each of its services take calls, as probes and load balancers ask (grpc.health.v1): SERVING from its
 * start to its drain. What it depends on is not asked about: docs/decisions/0022.
 */
export interface HealthState {
  readonly service: Partial<ServiceImpl<typeof Health>>;
  /** NOT_SERVING from now on; watches are told and end. */
  drain(): void;
}

/** Creates the health of a server that answers the given services ("shop.order.v1.OrderService"). */
export function createHealth(services: ReadonlySet<string>): HealthState {
  const draining = new AbortController();
  const statusOf = (service: string): ServingStatus | undefined => {
    if (service !== "" && !services.has(service)) return undefined;
    return draining.signal.aborted ? ServingStatus.NOT_SERVING : ServingStatus.SERVING;
  };
  return {
    drain: () => draining.abort(),
    service: {
      check({ service }) {
        const status = statusOf(service);
        if (status === undefined) throw rpcError(Code.NotFound, `this server has no service "${service}"`);
        return { status };
      },
      async *watch({ service }, { signal }) {
        const status = statusOf(service) ?? ServingStatus.SERVICE_UNKNOWN;
        yield { status };
        // A watch that went on after the drain would hold it up.
        if (!draining.signal.aborted) await aborted(AbortSignal.any([signal, draining.signal]));
        if (status === ServingStatus.SERVING && draining.signal.aborted) yield { status: ServingStatus.NOT_SERVING };
      },
      list: () => ({
        statuses: Object.fromEntries([...services, ""].map((name) => [name, { status: statusOf(name) ?? 0 }])),
      }),
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
}
