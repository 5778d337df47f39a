import { setTimeout as wait } from "node:timers/promises";
import type { Discovery, Instance } from "../contract/discovery.ts";
import { createKnownInstances, type KnownInstances } from "../discovery/known-instances.ts";

/** A source of instances within this process: what registers itself is known at once. */
export function createLocalDiscovery(): Discovery {
  const services = new Map<string, { readonly known: KnownInstances; readonly instances: Set<Instance> }>();
  const open = (service: string) => {
    const found = services.get(service) ?? { known: createKnownInstances(), instances: new Set<Instance>() };
    services.set(service, found);
    return found;
  };
  return {
    watch: (service, onChange) => open(service).known.watch(onChange),
    register(service, instance) {
      const { known, instances } = open(service);
      instances.add(instance);
      known.replace([...instances]);
      return {
        async [Symbol.asyncDispose]() {
          instances.delete(instance);
          known.replace([...instances]);
          // As every source has it: what is on its way is let in.
          await wait(20);
        },
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
