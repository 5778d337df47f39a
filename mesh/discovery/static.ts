import type { Discovery, Instance } from "../contract/discovery.ts";

/** Finds the instances that somebody has written down. What registers itself is in the list already. */
export function createStaticDiscovery(instances: ReadonlyMap<string, readonly Instance[]>): Discovery {
  return {
    watch(service, onChange) {
      const known = instances.get(service) ?? [];
      if (known.length === 0) {
        throw new Error(`no address of service ${service}: add ${service}=host:port to WEFT_DISCOVERY=static:`);
      }
      onChange(known);
      return { [Symbol.dispose]: () => undefined };
    },
    register: () => ({ [Symbol.asyncDispose]: async () => undefined }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
