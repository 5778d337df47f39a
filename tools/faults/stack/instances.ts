import { freePort } from "../../dev/processes/ports.ts";
import { listeners, SERVICE_NAMES, type ServiceName, type StackPorts } from "../../dev/stack/ports.ts";

/** One process of a service: "order-1". */
export interface Instance {
  readonly name: string;
  readonly service: ServiceName;
  readonly grpc: number;
  readonly health: number;
  readonly metrics: number;
  /** Where its kill points are armed. */
  readonly control: number;
}

/** Services that run twice, so that leases, fencing and shared consumers are put to the test. */
export const REPLICATED: readonly ServiceName[] = ["order", "inventory", "payment"];

/** Answers with a free port that it has not given before and that is none of the stack's. */
export type NextPort = () => Promise<number>;

/** Ports for a stack: many are taken long before somebody listens on them. */
export function createNextPort(ports: StackPorts): NextPort {
  const taken = new Set(listeners(ports).map(({ port }) => port));
  const next = async (): Promise<number> => {
    const port = await freePort();
    if (taken.has(port)) return next();
    taken.add(port);
    return port;
  };
  return next;
}

/** The instances of all services: the first ones have the ports of the stack. */
export async function layOutInstances(ports: StackPorts, next: NextPort): Promise<Instance[]> {
  const instances: Instance[] = [];
  for (const service of SERVICE_NAMES) {
    instances.push({ name: `${service}-1`, service, ...ports.services[service], control: await next() });
    if (!REPLICATED.includes(service)) continue;
    const own = { grpc: await next(), health: await next(), metrics: await next(), control: await next() };
    instances.push({ name: `${service}-2`, service, ...own });
  }
  return instances;
}
