import { lookup as lookUp } from "node:dns/promises";
import type { Discovery } from "../contract/discovery.ts";
import { type Address, formatAddress } from "../contract/settings.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createTransitionLog } from "../telemetry/transition-log.ts";
import { createKnownInstances, type KnownInstances } from "./known-instances.ts";

/** Finds the IP addresses of a host. Rejects if there are none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

export interface DnsDiscoveryOptions {
  /** By service: a name that stands for all of its instances (a headless Service of Kubernetes), and their port. */
  readonly names: ReadonlyMap<string, Address>;
  readonly logger: Logger;
  readonly lookup?: Lookup;
  /** How long an answer is believed. */
  readonly refreshIntervalMs?: number;
}

/** As the system does it: with its search domains, which short names need. */
const systemLookup: Lookup = async (host) => {
  const found = await lookUp(host, { all: true });
  return found.map(({ address }) => address);
};

/**
 * Finds instances by DNS: each address of a name is one. The name is asked for again in time from the first watch on; an
 * answer that does not come, or is empty, changes nothing.
 */
export function createDnsDiscovery(options: DnsDiscoveryOptions): Discovery {
  const { names, logger, lookup = systemLookup, refreshIntervalMs = 5_000 } = options;
  const services = new Map<string, { readonly known: KnownInstances; readonly asking: Disposable }>();

  const startAsking = (service: string, { host, port }: Address, known: KnownInstances): Disposable => {
    const log = createTransitionLog(logger, `${service}: DNS has no answer`, `${service}: DNS answers again`);
    let timer: NodeJS.Timeout | undefined;
    let stopped = false;
    const ask = async (): Promise<void> => {
      try {
        const found = await lookup(host);
        if (found.length === 0) throw new Error(`${host} has no address`);
        known.replace([...new Set(found)].map((ip) => ({ address: formatAddress({ host: ip, port }) })));
        log.worked();
      } catch (error) {
        log.failed(error);
      }
      if (!stopped) timer = setTimeout(ask, refreshIntervalMs).unref();
    };
    void ask();
    return {
      [Symbol.dispose]() {
        stopped = true;
        clearTimeout(timer);
      },
    };
  };

  return {
    watch(service, onChange) {
      const name = names.get(service);
      if (name === undefined) {
        throw new Error(`no name of service ${service}: add ${service}=name:port to WEFT_DISCOVERY=dns:`);
      }
      let entry = services.get(service);
      if (entry === undefined) {
        const known = createKnownInstances();
        entry = { known, asking: startAsking(service, name, known) };
        services.set(service, entry);
      }
      return entry.known.watch(onChange);
    },
    register: () => ({ [Symbol.asyncDispose]: async () => undefined }),
    async [Symbol.asyncDispose]() {
      for (const { asking } of services.values()) asking[Symbol.dispose]();
      services.clear();
    },
  };
}
