import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type MethodImplSpec,
} from "@connectrpc/connect";
import { type MethodPolicy, readPolicies } from "../contract/policy.ts";

/** One method that a server answers, with its policy. */
export interface Route {
  readonly method: DescMethod;
  readonly policy: MethodPolicy;
  readonly spec: MethodImplSpec;
}

/**
 * Runs a function written for Connect's own router and collects what it mounts, by path ("package.Service/Method").
 *
 * @throws ContractError if an option of a mounted service makes no sense
 */
export function collectRoutes(mount: (router: ConnectRouter) => void): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>();
  const policies = new Map<DescService, ReadonlyMap<DescMethod, MethodPolicy>>();
  const add = (spec: MethodImplSpec): void => {
    const method: DescMethod = spec.method;
    if (!policies.has(method.parent)) policies.set(method.parent, readPolicies(method.parent));
    const policy = policies.get(method.parent)?.get(method);
    if (policy === undefined) throw new Error(`${method.name} is not a method of ${method.parent.typeName}`);
    routes.set(policy.path, { method, policy, spec });
  };
  const router: ConnectRouter = {
    handlers: [],
    service(service, implementation) {
      for (const spec of Object.values(createServiceImplSpec(service, implementation).methods)) add(spec);
      return router;
    },
    rpc(method, implementation) {
      add(createMethodImplSpec(method, implementation));
      return router;
    },
  };
  mount(router);
  return routes;
}

/** The services that routes belong to. */
export function servicesOf(routes: ReadonlyMap<string, Route>): DescService[] {
  return [...new Set([...routes.values()].map((route) => route.method.parent))];
}
